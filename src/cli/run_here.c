/*
 * See run_here.h. The program's own thread looks and prints; a second one is inside qk_worker_run.
 *
 * The first signal cancels the run and waits for what runs to end; the second kills what runs and
 * ends the program. What is shown is looked at on a timetable, not at every event: a thousand short
 * jobs a second must not wake this thread a thousand times.
 */
#include "run_here.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "run_lines.h"
#include "run_model.h"
#include "run_report.h"
#include "run_screen.h"

#define LOOK_MS 50

typedef struct here {
    cli *cli;
    run_model model;
    run_feed *feed;
    qk_worker *worker;
    pthread_t thread;
    int ended_fd; /* readable once the pool has ended */
    qk_status rc; /* of the pool; the thread's until it has ended */
    qk_error err;
    bool cancelled;
    run_lines lines;
    run_screen *screen; /* NULL: lines */
} here;

static void *run_pool(void *arg)
{
    here *here = arg;
    uint64_t one = 1;
    here->rc = qk_worker_run(here->worker, &here->err);
    ssize_t ignored = write(here->ended_fd, &one, sizeof(one));
    (void)ignored;
    return NULL;
}

/* Signals stay with the program's own thread. */
static qk_status start(here *here)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&here->thread, NULL, run_pool, here);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? cli_error_errno(&here->cli->err, QK_ENOMEM, failed, "cannot start a thread")
                  : QK_OK;
}

/* Nothing is waited for any more, but no process of ours stays behind either. */
static _Noreturn void stop_at_once(here *here)
{
    size_t count;
    qk_slot_state *slots = run_slots(&count, here->worker);
    for (size_t i = 0; i < count; i++) {
        if (slots[i].pid > 1)
            kill(-slots[i].pid, SIGKILL);
    }
    free(slots);
    run_screen_close(here->screen);
    fflush(stdout);
    qk_error err = QK_ERROR_INIT;
    cli cli = *here->cli;
    cli_error(&err, QK_EINTERRUPTED, "interrupted: jobs that ran were killed");
    cli.err = err;
    cli_error_print(&cli);
    _exit(130);
}

static void cancel(here *here)
{
    qk_error ignored = QK_ERROR_INIT;
    here->cancelled = true;
    if (!here->screen)
        cli_note(here->cli, "cancelling the run; once more to stop at once");
    /* It may have ended this moment: then there is nothing to cancel. */
    (void)qk_run_cancel(here->cli->queue, here->model.parts[0].id, &ignored);
}

/* Until the pool has ended. */
static qk_status watch(here *here)
{
    struct pollfd fds[1] = { { .fd = here->ended_fd, .events = POLLIN } };
    qk_status rc = QK_OK;
    while (!rc && !(poll(fds, 1, LOOK_MS) > 0 && fds[0].revents)) {
        if (cli_interrupted > 1)
            stop_at_once(here);
        if (cli_interrupted && !here->cancelled)
            cancel(here);
        rc = run_model_tick(&here->model, here->feed, here->worker);
        if (!rc && here->screen)
            run_screen_tick(here->screen, here->cancelled);
        else if (!rc)
            rc = cli_flush(&here->cli->err);
    }
    return rc;
}

static qk_status execute(here *here)
{
    cli *cli = here->cli;
    cli_interrupts_defer(2);
    run_model_begin(&here->model, here->worker);
    qk_status rc = start(here);
    if (rc)
        return rc;
    rc = watch(here);
    if (rc) /* it cannot be watched, so it is not left alone either */
        qk_worker_stop(here->worker, false);
    pthread_join(here->thread, NULL);
    if (!rc && here->rc) {
        cli->err = here->err;
        rc = here->rc;
    }
    run_screen_close(here->screen);
    here->screen = NULL;
    return rc ? rc : run_model_end(&here->model, here->feed);
}

static qk_status open_pool(here *here, run_here_options *options)
{
    cli *cli = here->cli;
    options->pool.run = here->model.parts[0].id;
    options->pool.adopt_orphans = true;
    run_feed_attach(here->feed, &options->pool);
    here->ended_fd = eventfd(0, EFD_CLOEXEC);
    if (here->ended_fd < 0)
        return cli_error(&cli->err, QK_EIO, "cannot make an event descriptor");
    qk_status rc = qk_worker_open(&here->worker, cli->queue, &options->pool, &cli->err);
    return rc ? rc : worker_args_handlers(cli, &options->args, here->worker);
}

static qk_status judge(here *here, qk_dag *dag)
{
    cli *cli = here->cli;
    qk_run_status status = here->model.seen.status;
    if (!cli->json && !cli->quiet)
        run_report(&here->model, dag);
    if (here->cancelled)
        return cli_error(&cli->err, QK_EINTERRUPTED, "interrupted: the run is cancelled");
    if (!qk_run_status_is_terminal(status))
        return cli_error(&cli->err, QK_ESTATE,
                         "the run goes on with tasks that nothing here can run: give their kinds "
                         "with --handler or --plugin, or start a worker that has them");
    return status == QK_RUN_DONE ? QK_OK : QK_EJOBFAILED;
}

static qk_status run(here *here, qk_dag *dag, run_here_options *options)
{
    bool live = !here->cli->json && !here->cli->quiet && !options->plain && run_screen_possible();
    here->model.tell = live ? NULL : here->cli->json ? run_lines_json : run_lines_text;
    here->model.tell_user = &here->lines;
    here->lines.quiet = here->cli->quiet;
    qk_status rc = open_pool(here, options);
    if (!rc && live) {
        qk_worker_stats stats;
        qk_worker_stats_get(&stats, here->worker);
        rc = run_screen_open(&here->screen, &here->model, dag, (int)stats.slots);
    }
    if (!rc)
        rc = execute(here);
    return rc ? rc : judge(here, dag);
}

qk_status run_here(cli *cli, qk_dag *dag, qk_id id, run_here_options *options)
{
    here here = { .cli = cli, .ended_fd = -1, .err = QK_ERROR_INIT };
    qk_status rc = run_model_init(&here.model, cli, dag, id);
    if (!rc)
        rc = run_feed_open(&here.feed, &cli->err);
    if (!rc)
        rc = run(&here, dag, options);
    run_screen_close(here.screen);
    qk_worker_close(here.worker);
    run_feed_close(here.feed);
    run_model_dispose(&here.model);
    if (here.ended_fd >= 0)
        close(here.ended_fd);
    return rc;
}
