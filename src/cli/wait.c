/*
 * See wait.h.
 */
#include "wait.h"

#include <stdlib.h>
#include <time.h>

#include "progress.h"

#define FIRST_PAUSE_US 50000
#define LONGEST_PAUSE_US 1000000
#define STEP_US 1000000 /* between two looks at who has the file */

typedef struct watch {
    cli *cli;
    const qk_id *ids;
    qk_id *resolved; /* when they were words */
    size_t count;
    size_t done; /* so many from the first on have ended */
    cli_ended_fn ended;
    void *user;
    cli_progress *progress;
    qk_duration limit;
    int64_t start_us;
} watch;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Hands them over, all ended. */
static qk_status hand_over(watch *watch)
{
    cli *cli = watch->cli;
    qk_job **jobs = calloc(watch->count + 1, sizeof(*jobs));
    qk_status rc = jobs ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < watch->count && !rc; i++)
        rc = qk_job_get(&jobs[i], cli->queue, watch->ids[i], &cli->err);
    cli_progress_end(watch->progress);
    watch->progress = NULL;
    if (!rc)
        rc = watch->ended(cli, jobs, watch->count, watch->user);
    for (size_t i = 0; jobs && i < watch->count; i++)
        qk_job_free(jobs[i]);
    free(jobs);
    return rc;
}

static int64_t left_of(const watch *watch)
{
    if (watch->limit.us == QK_FOREVER_US)
        return INT64_MAX;
    int64_t left = watch->limit.us - (now_us() - watch->start_us);
    return left > 0 ? left : 0;
}

/* How many have ended; of a single job, what it says of itself. */
static void tell_progress(const watch *watch, const qk_job *job)
{
    if (watch->count > 1)
        cli_progress_at(watch->progress, watch->done, watch->count, NULL);
    else
        cli_progress_at(watch->progress, 0, 0, qk_job_status_name(job->status));
}

/* Goes on to the first that has not ended. QK_ETIMEDOUT: there is one. */
static qk_status pass_ended(watch *watch)
{
    cli *cli = watch->cli;
    for (; watch->done < watch->count; watch->done++) {
        qk_job *job = NULL;
        qk_status rc = qk_job_get(&job, cli->queue, watch->ids[watch->done], &cli->err);
        bool ended = !rc && qk_job_status_is_terminal(job->status);
        if (!rc && !ended)
            tell_progress(watch, job);
        qk_job_free(job);
        if (rc || !ended)
            return rc ? rc : QK_ETIMEDOUT;
    }
    return QK_OK;
}

/* While another process has the file, it tells when a job has ended. */
static qk_status follow(watch *watch)
{
    cli *cli = watch->cli;
    qk_status rc = pass_ended(watch);
    while (rc == QK_ETIMEDOUT && !qk_queue_owns(cli->queue)) {
        int64_t left = left_of(watch);
        if (left == 0)
            return rc;
        rc = qk_wait(NULL, cli->queue, watch->ids[watch->done],
                     qk_us(left < STEP_US ? left : STEP_US), &cli->err);
        if (rc == QK_OK || rc == QK_ETIMEDOUT)
            rc = pass_ended(watch);
    }
    return rc == QK_OK ? hand_over(watch) : rc;
}

/* QK_ETIMEDOUT: not all have ended, and nobody is there who could tell. */
static qk_status look(watch *watch)
{
    cli *cli = watch->cli;
    qk_status rc = cli_open(cli, false);
    if (rc == QK_EBUSY)
        return QK_ETIMEDOUT;
    if (!rc && !watch->ids) {
        rc = cli_resolve_words(cli, &watch->resolved);
        watch->ids = watch->resolved;
    }
    bool opened = !rc;
    if (!rc)
        rc = follow(watch);
    cli_close(cli);
    /* The owner ended, and nobody has taken its place: the next look may be the one. */
    return opened && rc == QK_ESTORE ? QK_ETIMEDOUT : rc;
}

static qk_status look_until(watch *watch)
{
    int64_t pause = FIRST_PAUSE_US;
    qk_status rc;
    while ((rc = look(watch)) == QK_ETIMEDOUT) {
        int64_t left = left_of(watch);
        if (left == 0)
            return cli_error(&watch->cli->err, QK_ETIMEDOUT,
                             "not all jobs have ended: give it longer with --timeout, or start "
                             "queuack worker");
        int64_t length = pause < left ? pause : left;
        struct timespec sleep = { length / 1000000, length % 1000000 * 1000 };
        nanosleep(&sleep, NULL);
        pause = pause * 3 / 2 > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : pause * 3 / 2;
    }
    return rc;
}

qk_status cli_wait_ended(cli *cli, const qk_id *ids, size_t count, qk_duration limit,
                         cli_ended_fn ended, void *user)
{
    watch watch = { .cli = cli,
                    .ids = ids,
                    .count = count,
                    .ended = ended,
                    .user = user,
                    .limit = limit,
                    .start_us = now_us() };
    cli->owner_wait = qk_ms(1); /* this loop does the waiting */
    watch.progress = cli_progress_start(cli, "waiting", count > 1 ? count : 0);
    qk_status rc = look_until(&watch);
    cli_progress_end(watch.progress);
    free(watch.resolved);
    return rc;
}
