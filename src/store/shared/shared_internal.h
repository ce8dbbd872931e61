/*
 * A file that processes share, from inside.
 *
 * At any time a handle stands in one of three states: it owns the file (the embedded store, and a
 * server on the socket), it follows an owner (the remote store), or it seeks (neither: the last
 * owner ended). `inner` is the store of the first two.
 *
 * Threads: callers use `inner` through shared_use and shared_unuse. The keeper watches: as a follower whether
 * the owner lives, as the owner whether the file is still where it was; and it alone changes the
 * state after the open. `lock` guards everything below it.
 *
 * Invariants:
 *  1. Only who holds the file's lock has the embedded store open, and only he listens.
 *  2. An owner stays owner until it closes; so a state changes only seek → own, seek ↔ follow.
 *  3. A retired inner is closed by whoever uses it last.
 */
#ifndef QK_STORE_SHARED_INTERNAL_H
#define QK_STORE_SHARED_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http/http.h"
#include "store/embedded/lock.h"
#include "store/remote/wait_pump.h"
#include "store/store.h"

struct inner {
    qk_store *store;
    bool owner;
    int watch; /* follower: readable when the owner ends */
    atomic_uint references;
};

struct shared {
    qk_store base;
    qk__store_config config;
    char path[PATH_MAX], socket[PATH_MAX + 8], temp_dir[PATH_MAX];
    char default_queue[QK_NAME_MAX + 1];
    uint64_t peer;
    int64_t patience_us; /* with an owner that is late, and with one that ended */
    atomic_ullong tokens;
    qk__file_lock stay;
    qk__wait_pump pump;
    qk__http *http; /* owner */
    uint64_t device, inode; /* owner: of the file it opened */
    int kick; /* the keeper looks again when it becomes readable */
    pthread_t keeper;
    bool keeper_runs;
    atomic_bool moved; /* owner: the path no longer leads to the file */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct inner *inner; /* NULL: seeking */
    uint64_t generation; /* rises with each new inner */
    bool stopping, closing;
    qk_error trouble; /* what seeking met last; code 0: nothing */
    char **interrupted; /* workers whose claims return at once */
    size_t interrupted_count;
};

static inline struct shared *shared_of(qk_store *store)
{
    return (struct shared *)store;
}

int64_t shared_now_us(void); /* of the machine: owners and sockets know no injected clock */

/* shared_seek.c */
/* One attempt to own or to follow. QK_OK: `inner` is set. QK_EBUSY: somebody has the lock and does
 * not listen (yet). Others: as from the store that was tried. */
qk_status shared_attempt(struct shared *s, int64_t seeking_since_us, qk_error *err);
/* Tries until the deadline, from the thread that opens. */
qk_status shared_seek(struct shared *s, qk_error *err);
void *shared_keeper(void *shared);

/* shared_run.c */
/* The present inner, waiting for one until the deadline. Undo with shared_unuse. */
qk_status shared_use(struct shared *s, struct inner **out, uint64_t *generation,
                     int64_t deadline_us, qk_error *err);
void shared_unuse(struct inner *inner);
/* This inner is of no more use: a new one is sought. */
void shared_retire(struct shared *s, uint64_t generation);
bool shared_is_interrupted(struct shared *s, const char *worker_id);

/* What a call may do when its answer got lost. */
enum repeat {
    REPEAT, /* twice is as good as once */
    ASK, /* not repeated: the caller is told that it may have happened */
};
/* `lost`: how often an answer got lost before; so what this attempt asks may have happened. */
typedef qk_status (*shared_fn)(struct inner *inner, void *args, unsigned lost, qk_error *err);
qk_status shared_run(struct shared *s, shared_fn fn, void *args, enum repeat repeat, qk_error *err);
/* The same for what changes something: refused once the file has gone from its path. */
qk_status shared_change(struct shared *s, shared_fn fn, void *args, enum repeat repeat,
                        qk_error *err);

/* A slot with these arguments (in `struct <slot>_args *a`), as a shared_fn. */
#define FORWARD(slot, ...)                                                                         \
    static qk_status do_##slot(struct inner *inner, void *args, unsigned lost, qk_error *err)      \
    {                                                                                              \
        const struct slot##_args *a = args;                                                        \
        qk_store *store = inner->store;                                                            \
        (void)lost;                                                                                \
        return store->ops->slot(store, __VA_ARGS__, err);                                          \
    }

/* shared_ops.c, shared_claims.c, shared_change.c, shared_rows.c */
extern const struct qk_store_ops shared_ops;
qk_status shared_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err);
qk_status shared_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                       qk_error *err);
qk_status shared_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                        qk_error *err);
qk_status shared_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                       qk_error *err);
void shared_interrupt(qk_store *base, const char *worker_id, bool on);
qk_status shared_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                           qk_error *err);
bool shared_owns(qk_store *base);
void shared_stop(qk_store *base);
void shared_close(qk_store *base);

/* shared_runs.c */
qk_status shared_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                            const qk__new_job *jobs, size_t count, qk_error *err);
qk_status shared_expand(qk_store *base, qk_id *child, const qk_lease *lease, const qk__new_run *run,
                        const qk__new_job *jobs, size_t count, qk_error *err);
qk_status shared_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err);
qk_status shared_result(qk_store *base, char **out, qk_id job, qk_error *err);
qk_status shared_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                           size_t count, qk_error *err);
qk_status shared_run_get(qk_store *base, qk_run **out, qk_id run, qk_error *err);
qk_status shared_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                          qk_error *err);
qk_status shared_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err);
qk_status shared_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err);
qk_status shared_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                          const qk_run_progress *seen, int64_t timeout_us, qk_error *err);
qk_status shared_run_cancel(qk_store *base, qk_id run, qk_error *err);
qk_status shared_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err);
qk_status shared_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err);

/* file_system.c */
/* QK_EREFUSED for file systems whose locks do not keep other machines away; a warning for those that
 * may be of that kind. A path that does not exist is judged by its folder. */
qk_status qk__file_system_check(const char *path, const qk__log *log, qk_error *err);
/* 0: local, 1: unknown, 2: network. By the magic number of statfs(2). */
int qk__file_system_kind(long magic, const char **name);

#endif
