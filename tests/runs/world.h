/*
 * Runs in the engine and in the naive model, side by side, with a disk that is a list of rows. One
 * thread; any disagreement ends the program with the command that replays it.
 */
#ifndef QUEUACK_TESTS_RUNS_WORLD_H
#define QUEUACK_TESTS_RUNS_WORLD_H

#include "model.h"
#include "store/embedded/embedded_retry.h"
#include "store/embedded/engine.h"

struct stored {
    qk__row row;
    uint64_t batch;
    char *text;
};

struct claim {
    int job;
    qk_lease lease;
};

struct world {
    uint64_t seed, random;
    int step;
    bool verbose;
    qk__engine *engine;
    qk__now now;
    int64_t latest_us; /* of the wall clock */
    struct model model, durable; /* durable: as of the last commit */
    qk_id jobs[MODEL_JOBS], runs[MODEL_RUNS];
    struct stored *rows;
    size_t row_count, row_capacity;
    struct claim claims[64];
    int claim_count;
    int attempts[MODEL_JOBS]; /* of the last claim */
    int64_t deadlines[MODEL_JOBS]; /* mono: of its lease, or of a node that waits */
    int64_t started[MODEL_JOBS]; /* mono: of the last claim */
    int64_t timeouts[MODEL_JOBS]; /* INT64_MAX: none */
    bool purged[MODEL_JOBS];
    long commits, crashes, retries, expansions, lost, timed_out, circles, purges;
};

_Noreturn void disagree(const struct world *world, const char *format, ...) QK_PRINTF(2, 3);
void trace(const struct world *world, const char *format, ...) QK_PRINTF(2, 3);
uint64_t random_next(struct world *world);
int pick(struct world *world, int count);
bool chance(struct world *world, int percent);

/* time.c */
void limit_node(struct world *world, int job, int64_t from); /* by its timeout */
void pass_time(struct world *world, int64_t us); /* what falls due on the way happens */

/* disk.c */
void disk_commit(struct world *world); /* cuts, and makes durable */
void disk_crash(struct world *world); /* forgets what is not; reopens */
void disk_free(struct world *world);
const qk__row *disk_job(const struct world *world, qk_id id); /* last image; NULL */
const qk__row *disk_run(const struct world *world, qk_id id);
bool disk_has(const qk__row *row, const char *text); /* in ext */
qk__run_facts disk_facts(const struct world *world, qk_id run); /* of ended jobs */
qk__cold_set disk_cold(const struct world *world, const qk_id *ids, size_t count);
int job_number(const struct world *world, qk_id id); /* -1 */
int run_number(const struct world *world, qk_id id);

/* retry.c */
void step_retry(struct world *world);

/* circle.c: by the definition, looked at until nothing changes */
struct circle {
    bool ends[MODEL_JOBS], starts[MODEL_JOBS]; /* only after the node has ended */
};
void circle_around(const struct model *model, int node, struct circle *out);

/* purge.c */
void step_purge(struct world *world);
bool tree_is_purged(const struct world *world, int run); /* of one of its jobs at least */

/* compare.c */
void compare(struct world *world);

#endif
