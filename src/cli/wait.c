/*
 * See wait.h.
 */
#include "wait.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "progress.h"

#define FIRST_PAUSE_US 50000
#define LONGEST_PAUSE_US 1000000

typedef struct watch {
    cli *cli;
    const qk_id *ids;
    qk_id *resolved; /* when they were words */
    size_t count;
    cli_ended_fn ended;
    void *user;
    cli_progress *progress;
} watch;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How many have ended; of a single job, what it says of itself. */
static void tell_progress(const watch *watch, qk_job *const *jobs)
{
    size_t ended = 0;
    for (size_t i = 0; i < watch->count; i++)
        ended += qk_job_status_is_terminal(jobs[i]->status);
    if (watch->count > 1)
        cli_progress_at(watch->progress, ended, watch->count, NULL);
    else
        cli_progress_at(watch->progress, 0, 0, qk_job_status_name(jobs[0]->status));
}

/* QK_OK: all have ended and were handed over; QK_ETIMEDOUT: not yet. */
static qk_status look_at_jobs(watch *watch)
{
    cli *cli = watch->cli;
    qk_job **jobs = calloc(watch->count + 1, sizeof(*jobs));
    qk_status rc = jobs ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    bool all = true;
    for (size_t i = 0; i < watch->count && !rc; i++) {
        rc = qk_job_get(&jobs[i], cli->queue, watch->ids[i], &cli->err);
        all = !rc && all && qk_job_status_is_terminal(jobs[i]->status);
    }
    if (!rc && !all) {
        tell_progress(watch, jobs);
        rc = QK_ETIMEDOUT;
    } else if (!rc) {
        cli_progress_end(watch->progress);
        watch->progress = NULL;
        rc = watch->ended(cli, jobs, watch->count, watch->user);
    }
    for (size_t i = 0; jobs && i < watch->count; i++)
        qk_job_free(jobs[i]);
    free(jobs);
    return rc;
}

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
    if (!rc)
        rc = look_at_jobs(watch);
    cli_close(cli);
    return rc;
}

static qk_status look_until(watch *watch, qk_duration limit)
{
    int64_t start = now_us();
    int64_t pause = FIRST_PAUSE_US;
    qk_status rc;
    while ((rc = look(watch)) == QK_ETIMEDOUT) {
        int64_t left = limit.us == QK_FOREVER_US ? pause : limit.us - (now_us() - start);
        if (left <= 0)
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
    watch watch = { cli, ids, NULL, count, ended, user, NULL };
    cli->owner_wait = qk_ms(1); /* this loop does the waiting */
    watch.progress = cli_progress_start(cli, "waiting", count > 1 ? count : 0);
    qk_status rc = look_until(&watch, limit);
    cli_progress_end(watch.progress);
    free(watch.resolved);
    return rc;
}
