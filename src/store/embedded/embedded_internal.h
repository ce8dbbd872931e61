/*
 * The embedded store: one process, one DuckDB file, one engine.
 *
 * Threads and locks:
 *   `lock`   guards the engine and every field below it. Callers apply their commands themselves
 *            under it, so that a claim never waits for a disk.
 *   writer   the thread that cuts what changed and commits it, without `lock`; callers then wait on
 *            `durable` for their batch.
 *   keeper   the thread that settles the inactive journal and checkpoints.
 *   `gate`   held while a commit becomes visible; readers hold it while they begin (reader.h).
 *   `cold`   serialises commands about jobs that are no longer in memory, so that two of them
 *            cannot bring the same job back.
 *   `facts`  read-held from looking up ended jobs until the jobs that depend on them are live;
 *            write-held by a purge, which must see either no such job or a live one.
 * Order: cold, then facts, then gate, then lock. Nobody waits for the disk with `lock` held, except to rebuild
 * the engine after a failed commit.
 */
#ifndef QK_STORE_EMBEDDED_INTERNAL_H
#define QK_STORE_EMBEDDED_INTERNAL_H

#include <duckdb.h>
#include <limits.h>
#include <pthread.h>

#include "store/embedded/engine.h"
#include "store/embedded/journal.h"
#include "store/embedded/lock.h"
#include "store/embedded/reader.h"
#include "store/embedded/spill.h"
#include "store/embedded/upstream_cache.h"

#define FAILURES_KEPT 16
#define DURABLE_WAYS 4 /* so that a commit wakes its own callers, not those of the next */

/* Batches in (after, upto] will never be durable. */
struct failure {
    uint64_t after, upto;
    qk_error error;
};

struct base_count {
    char queue[QK_NAME_MAX + 1];
    int64_t counts[QK_JOB_STATUS_COUNT];
};

struct embedded {
    qk_store base;
    qk__store_config config;
    char path[PATH_MAX];
    char default_queue[QK_NAME_MAX + 1];
    char temp_dir[PATH_MAX];
    bool real_clock; /* false: tests move time, so waits are short and looked at again */
    qk__file_lock file;
    duckdb_database database;
    qk__spill spill; /* valid while `database` is open */
    qk__journal *journal;
    qk__reader *reader;
    int wait_fd;

    pthread_mutex_t gate, cold, lock;
    pthread_rwlock_t facts;
    pthread_cond_t work; /* the writer waits here */
    pthread_cond_t durable[DURABLE_WAYS]; /* callers wait here for their batch: by its number */
    pthread_cond_t state; /* suspended, broken, reviving, probing, borrowers */
    pthread_cond_t ready; /* claims and waits: something became ready or ended */
    pthread_cond_t upkeep; /* the keeper waits here, and who waits for it */
    pthread_t writer, keeper;
    bool writer_runs, keeper_runs;

    qk__engine *engine;
    qk__upstream_cache *upstreams; /* NULL: empty */
    uint64_t durable_batch, seen_changes;
    size_t waiting[DURABLE_WAYS]; /* callers in wait_durable, by batch */
    bool lingering; /* the writer lets changes gather that nobody waits for */
    size_t woken; /* by the last commit: likely to be back soon */
    struct failure failures[FAILURES_KEPT];
    size_t failure_count;
    bool stopping; /* waits for work end; calls go on */
    bool closing, stop;
    bool broken; /* the database could not be opened anew; each call, and the writer, tries again */
    bool reviving; /* the database and the engine are being replaced: calls wait */
    size_t borrowers; /* calls that use reader or database without `lock` */
    qk__held_claim *held; /* while broken: the claims to put back */
    size_t held_count;
    bool probing; /* a probe is under way */
    bool suspended; /* the last commit failed: a probe must succeed first */
    qk_error trouble; /* why it is broken or suspended */
    size_t callers, throttled;
    bool settle_due, settling; /* settling: the keeper is at work */
    uint64_t settle_failures;
    qk_error settle_trouble; /* of the last one */
    uint64_t log_rows, log_commits, log_bytes; /* since the last checkpoint */
    bool tidy_later; /* checkpoint at the next quiet time */
    bool tidy; /* checkpoint although little has gathered: nothing else is going on */
    bool full_settle; /* turn even a small journal: purge and close ask for it */
    int64_t last_commit_us; /* monotonic */
    char **interrupted; /* worker ids whose claims return at once */
    size_t interrupted_count;
    qk_counters counters; /* commits and the like; the engine has the rest */
    qk_histogram commit_us, commit_rows;
    int64_t commit_took_us; /* of the last one; the writer's own */
    struct base_count *bases; /* ended jobs per queue that the engine did not see end */
    size_t base_count;
    bool bases_known;
};

static inline struct embedded *embedded_of(qk_store *store)
{
    return (struct embedded *)store;
}

/* embedded.c */
qk_status open_database(struct embedded *store, qk_error *err);
void close_database(struct embedded *store);
qk__now embedded_now(const struct embedded *store);
/* Locks and counts the caller in. An error: not locked. leave() undoes it. */
qk_status enter(struct embedded *store, qk_error *err);
/* The same for commands that change something: refused while the disk is. */
qk_status enter_to_write(struct embedded *store, qk_error *err);
void leave(struct embedded *store);
/* Between these two `reader` and `database` may be used without `lock`; they are not replaced
 * meanwhile. Errors as enter. */
qk_status borrow_database(struct embedded *store, qk_error *err);
void return_database(struct embedded *store);
/* Waits on a condition for at most wait_us (INT64_MAX: no limit), with `lock` held. */
void wait_some(struct embedded *store, pthread_cond_t *condition, int64_t wait_us);
qk_status no_memory(qk_error *err);

/* embedded_writer.c */
void *writer_main(void *store);
/* Something may have changed: wakes whom it concerns. With `lock` held. */
void announce(struct embedded *store);
/* Wakes everybody who waits for a batch or for the state to change. With `lock` held. */
void wake_all(struct embedded *store);
/* Waits, with `lock` held, until the batch is durable; QK_OK or why it never will be. */
qk_status wait_durable(struct embedded *store, uint64_t batch, qk_error *err);
uint64_t present_gate(const struct embedded *store); /* makes all that was accepted durable */

/* embedded_keeper.c */
void *keeper_main(void *store);
bool checkpoint_is_due(const struct embedded *store);
/* Turns the journal and waits until every ended job is in the history. Without `lock`. */
qk_status settle_all(struct embedded *store, qk_error *err);

/* embedded_meter.c; the first two by the writer only */
qk_status commit_timed(struct embedded *store, const qk__cut *cut, qk_error *err); /* no `lock` */
void commit_counted(struct embedded *store, const qk__cut *cut); /* it is durable; with `lock` */
void log_backpressure(const struct embedded *store, const char *queue, uint64_t waiting);

/* embedded_recover.c; all with `lock` held, probe_disk releases it meanwhile */
qk_status engine_rebuild(struct embedded *store, bool *clean, qk_error *err);
void commit_failed(struct embedded *store, qk__cut *cut, const qk_error *why);
qk_status probe_disk(struct embedded *store);
/* Opens the database anew if it refuses everything, as DuckDB does after some failures. False: there
 * was no need to, or it could not be opened (broken is then set). Releases `lock` meanwhile. */
bool database_revive(struct embedded *store);
/* Tries to leave `broken`: opens the file again and rebuilds the engine. Releases `lock` meanwhile. */
bool mend(struct embedded *store);

/* embedded_cold.c: what is no longer in memory. The caller has borrowed the database, or is
 * replacing it. */
qk_status cold_lookup(struct embedded *store, const qk_id *ids, size_t count, qk__cold_set *set,
                      qk_error *err); /* adds to the set, which is sorted */
bool cold_has(const qk__cold_set *set, qk_id id); /* an ended job */
void cold_dispose(qk__cold_set *set);
/* What an engine's answer about this job means to people; `verb`: what it could not be. */
qk_status job_error(qk_error *err, qk_status rc, qk_id job, const char *verb);

/* embedded_runs.c */
/* Facts about each of these runs, whose ids are set; they come back sorted. As cold_lookup. */
qk_status run_facts(struct embedded *store, qk__run_facts *facts, size_t count, qk_error *err);
/* *held: whether `facts` is (NULL: the caller has `cold`); to be released once the jobs are live. */
qk_status cold_for_jobs(struct embedded *store, const qk__new_job *jobs, size_t count,
                        qk__cold_set *cold, bool *held, bool *read, qk_error *err);
void facts_release(struct embedded *store, bool *held);

/* embedded_upstream.c. Without `lock`. */
qk_status embedded_upstream(qk_store *base, qk__upstream **out, qk_id job, qk_error *err);
qk_status embedded_result(qk_store *base, char **out, qk_id job, qk_error *err);
/* embedded_condition.c: skips claimed jobs whose condition is false; the rest stays in `grants`. With
 * `lock` held, released meanwhile if there are conditions. */
qk_status conditions_apply(struct embedded *store, qk__grant *grants, size_t *count, qk_error *err);

/* embedded_retry_run.c; what: enum retry_what. All of the nodes or none. Without `lock`. */
qk_status retry_in_run(struct embedded *store, int what, qk_id run, const qk_id *nodes,
                       size_t count, qk_error *err);

/* The slots of qk_store_ops. */
qk_status embedded_run_get(qk_store *base, qk_run **out, qk_id run, qk_error *err);
qk_status embedded_run_list(qk_store *base, qk_run_list **out, const qk_run_filter *filter,
                            qk_error *err);
qk_status embedded_run_tree(qk_store *base, qk_run_tree **out, qk_id run, qk_error *err);
qk_status embedded_run_node(qk_store *base, qk_id *out, qk_id run, const char *node, qk_error *err);
qk_status embedded_run_wait(qk_store *base, qk_run_progress *out, qk_id run,
                            const qk_run_progress *seen, int64_t timeout_us, qk_error *err);
qk_status embedded_run_cancel(qk_store *base, qk_id run, qk_error *err);
qk_status embedded_run_pause(qk_store *base, qk_id run, bool paused, qk_error *err);
qk_status embedded_run_retry(qk_store *base, qk_id run, const qk_id *from, qk_error *err);
qk_status embedded_submit_run(qk_store *base, qk_enqueued *out, const qk__new_run *run,
                              const qk__new_job *jobs, size_t count, qk_error *err);
qk_status embedded_add_nodes(qk_store *base, const qk_lease *lease, const qk__new_job *jobs,
                             size_t count, qk_error *err);
qk_status embedded_expand(qk_store *base, qk_id *child, const qk_lease *lease,
                          const qk__new_run *run, const qk__new_job *jobs, size_t count,
                          qk_error *err);
qk_status embedded_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                           qk_error *err);
qk_status embedded_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                         qk_error *err);
void embedded_interrupt(qk_store *base, const char *worker_id, bool on);
qk_status embedded_complete(qk_store *base, qk_status *statuses, const qk_outcome *outcomes,
                            size_t count, bool wait, qk_error *err);
qk_status embedded_flush(qk_store *base, qk_error *err);
qk_status embedded_extend(qk_store *base, qk_status *statuses, const qk_lease *leases, size_t count,
                          int64_t extend_us, qk_error *err);
qk_status embedded_progress(qk_store *base, const qk_lease *lease, double fraction,
                            const char *message, qk_error *err);
qk_status embedded_cancel(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                          qk_error *err);
qk_status embedded_retry(qk_store *base, qk_status *statuses, const qk_id *jobs, size_t count,
                         qk_error *err);
qk_status embedded_purge(qk_store *base, size_t *out, const qk_job_filter *filter, qk_error *err);
qk_status embedded_pause(qk_store *base, const char *queue, bool paused, qk_error *err);
qk_status embedded_limit(qk_store *base, const char *queue, uint32_t limit, qk_error *err);
qk_status embedded_backup(qk_store *base, const char *path, const qk_backup_options *options,
                          qk_error *err);
qk_status embedded_get(qk_store *base, qk_job **out, qk_id job, qk_error *err);
qk_status embedded_list(qk_store *base, qk_job_list **out, const qk_job_filter *filter,
                        qk_error *err);
qk_status embedded_stats(qk_store *base, qk_stats **out, qk_error *err);
void embedded_counters(qk_store *base, qk_counters *out);
void embedded_metrics(qk_store *base, qk_metrics *out);
qk_status embedded_wait(qk_store *base, qk_id job, int64_t timeout_us, qk_error *err);
qk_status embedded_release(qk_store *base, uint64_t peer, qk_error *err);
qk_status embedded_changes(qk_store *base, uint64_t *seen, int64_t wait_us, qk_error *err);
qk_status embedded_backlog(qk_store *base, qk__backlog *out, const qk__claim_request *request,
                           qk_error *err);
qk_status embedded_worker_beat(qk_store *base, const qk__worker_info *worker, bool gone,
                               qk_error *err);
qk_status embedded_rows_open(qk_store *base, qk_rows **out, const char *sql, int64_t timeout_us,
                             qk_error *err);
qk_status embedded_snapshot(void *store, qk__row_set *out, qk_error *err);
/* A person's retry took an ended job out of what the bases count. With `lock` held. */
void base_forget(struct embedded *store, const char *queue, qk_job_status status);

#endif
