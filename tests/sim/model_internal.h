/*
 * What the files of the reference model share. See model.h for what it promises.
 *
 * Jobs are only ever appended and parents must exist first, so a parent's index is always below
 * its child's: one pass in index order sees every parent before its children.
 */
#ifndef QUEUACK_TESTS_SIM_MODEL_INTERNAL_H
#define QUEUACK_TESTS_SIM_MODEL_INTERNAL_H

#include "model.h"

struct queue_state {
    char name[MODEL_NAME_SIZE];
    bool paused;
    size_t waiting_limit; /* 0: the model's */
};

struct model {
    struct model_job *jobs;
    size_t count;
    struct queue_state *queues; /* only those that were paused or limited once */
    size_t queue_count;
    size_t waiting_limit;
    int64_t wall_us; /* of the present call */
    uint64_t next_seq;
    uint64_t next_ended;
    uint64_t next_lease;
    uint64_t moment; /* number of the present call that can end jobs */
    bool joined; /* calls do not begin a new moment */
    bool moment_due; /* but the next one does */
    bool any_cause; /* see model_trust_causes */
};

enum verdict {
    VERDICT_WAIT,
    VERDICT_READY,
    VERDICT_NEVER,
};

/* model.c. Allocation and text that is too long abort. */
void *model_grow(void *array, size_t count, size_t item_size); /* room for `count` items */
void model_text(char *out, size_t size, const char *text); /* NULL: "" */
struct queue_state *model_queue(struct model *model, const char *name);
struct model_job *model_find(const struct model *model, qk_id id);
bool model_same_id(qk_id a, qk_id b);
void model_next_moment(struct model *model, struct model_now now);
bool model_is_terminal(const struct model_job *job);
bool model_is_waiting(const struct model_job *job); /* pending or delayed */
size_t model_waiting_limit(const struct model *model, const char *queue);
int64_t model_add_us(int64_t a, int64_t b); /* saturates at QK_FOREVER_US */
/* The live job with this key, NULL if none or no key. */
struct model_job *model_key_holder(const struct model *model, const char *key);

/* model_depend.c */
enum verdict model_verdict(const struct model *model, const struct model_job *job);
/* Makes the job terminal: status, order, no lease. The caller then settles. */
void model_end(struct model *model, struct model_job *job, qk_job_status status);
/* Skips whatever can no longer start, to the end. */
void model_settle(struct model *model);

/* model_time.c: a claimed job's lease is lost. */
void model_lose(struct model *model, struct model_job *job);

/* model_claim.c: closes the last attempt. */
void model_close_attempt(struct model_job *job, enum model_ending ending, qk_verdict verdict);

#endif
