/*
 * What tests of worker pools share: a store in a fresh folder, a clock that tests move, a gate that
 * handlers wait at, and short forms of the calls.
 */
#ifndef TESTS_CONFORMANCE_WORKER_FIXTURE_H
#define TESTS_CONFORMANCE_WORKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <queuack/queuack.h>

#define PATIENCE_S 30 /* how long a test waits for what must happen */

typedef struct fixture {
    char folder[256], path[300];
    qk_queue *queue;
    _Atomic int64_t clock_us; /* of the clock that tests move */
    sem_t arrived, open; /* the gate */
} fixture;

static inline void check(qk_status rc, const qk_error *err)
{
    if (rc != QK_OK)
        fail_msg("%s: %s", qk_status_json_code(rc), err->message);
}

static inline qk_time fixture_wall(void *user)
{
    return (qk_time){ 1700000000000000 + atomic_load(&((fixture *)user)->clock_us) };
}

static inline int64_t fixture_monotonic(void *user)
{
    return atomic_load(&((fixture *)user)->clock_us);
}

static inline fixture *fixture_new(void)
{
    const char *base = getenv("TMPDIR");
    fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    snprintf(f->folder, sizeof(f->folder), "%s/queuack-worker.XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/jobs.duckdb", f->folder);
    atomic_store(&f->clock_us, 1000000);
    sem_init(&f->arrived, 0, 0);
    sem_init(&f->open, 0, 0);
    return f;
}

static inline void fixture_open(fixture *f, const qk_queue_options *options)
{
    qk_error err = QK_ERROR_INIT;

    check(qk_queue_open(&f->queue, f->path, options, &err), &err);
}

static inline int set_up(void **state)
{
    *state = fixture_new();
    fixture_open(*state, NULL);
    return 0;
}

/* The same with the clock that tests move. */
static inline int set_up_clock(void **state)
{
    fixture *f = fixture_new();
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_clock clock = { fixture_wall, fixture_monotonic, f };

    options.clock = &clock;
    fixture_open(f, &options);
    *state = f;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int tear_down(void **state)
{
    fixture *f = *state;

    qk_queue_close(f->queue);
    nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    sem_destroy(&f->arrived);
    sem_destroy(&f->open);
    free(f);
    return 0;
}

static inline double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits for a semaphore, but not for ever. */
static inline void await(sem_t *semaphore)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(semaphore, &until) != 0) {
        if (errno != EINTR)
            fail_msg("nothing happened for %d s", PATIENCE_S);
    }
}

static inline qk_id enqueue(fixture *f, const char *kind, const char *payload,
                            const qk_job_options *options)
{
    qk_error err = QK_ERROR_INIT;
    qk_id id;

    check(qk_enqueue(&id, f->queue, kind, payload, options, &err), &err);
    return id;
}

/* Enqueues `count` jobs of a kind; ids may be NULL. */
static inline void enqueue_many(fixture *f, qk_enqueued *ids, const char *kind, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_spec *specs = calloc(count, sizeof(*specs));

    assert_non_null(specs);
    for (size_t i = 0; i < count; i++)
        specs[i].kind = kind;
    check(qk_enqueue_batch(ids, f->queue, specs, count, &err), &err);
    free(specs);
}

static inline qk_job *job_of(fixture *f, qk_id id)
{
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;

    check(qk_job_get(&job, f->queue, id, &err), &err);
    return job;
}

/* Waits until it has ended. */
static inline qk_job *wait_for(fixture *f, qk_id id)
{
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;

    check(qk_wait(&job, f->queue, id, qk_seconds(PATIENCE_S), &err), &err);
    return job;
}

static inline void assert_status(fixture *f, qk_id id, qk_job_status status)
{
    qk_job *job = job_of(f, id);

    assert_string_equal(qk_job_status_name(job->status), qk_job_status_name(status));
    qk_job_free(job);
}

static inline qk_worker *open_worker(fixture *f, int concurrency, bool drain)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;

    options.concurrency = concurrency;
    options.drain = drain;
    check(qk_worker_open(&worker, f->queue, &options, &err), &err);
    return worker;
}

static inline void handle(qk_worker *worker, const char *kind, qk_handler_fn fn, void *user)
{
    qk_error err = QK_ERROR_INIT;

    check(qk_worker_handle(worker, kind, fn, user, &err), &err);
}

static inline void start(qk_worker *worker)
{
    qk_error err = QK_ERROR_INIT;

    check(qk_worker_start(worker, &err), &err);
}

static inline void run(qk_worker *worker)
{
    qk_error err = QK_ERROR_INIT;

    check(qk_worker_run(worker, &err), &err);
}

static inline qk_worker_stats stats_of(const qk_worker *worker)
{
    qk_worker_stats stats;

    qk_worker_stats_get(&stats, worker);
    return stats;
}

/* A handler that does nothing. */
static inline qk_status nothing(qk_task *task, void *user, qk_error *err)
{
    (void)task;
    (void)user;
    (void)err;
    return QK_OK;
}

/* A handler that says it is there and waits to be let through; it ignores its cancel flag. */
static inline qk_status stubborn(qk_task *task, void *user, qk_error *err)
{
    fixture *f = user;

    (void)task;
    (void)err;
    sem_post(&f->arrived);
    while (sem_wait(&f->open) != 0) {
    }
    return QK_OK;
}

/* A handler that says it is there and goes on until its cancel flag is set. */
static inline qk_status patient(qk_task *task, void *user, qk_error *err)
{
    fixture *f = user;
    double start = seconds();

    sem_post(&f->arrived);
    while (!qk_task_cancelled(task) && seconds() - start < PATIENCE_S)
        sched_yield();
    snprintf(err->message, sizeof(err->message), "%s",
             qk_task_cancelled(task) ? "cancelled" : "never told");
    return QK_EINTERRUPTED;
}

#endif
