/*
 * SIGINT and SIGTERM for qk_worker_run, only when asked for.
 *
 * A handler writes to a pipe that the thread in qk_worker_run polls: that works whichever thread of
 * the application gets the signal. The handlers that were there before are put back at the end. One
 * pool of the process at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/worker_internal.h"

static atomic_int signal_pipe = -1; /* write end, while a pool handles signals */
static atomic_int inside; /* threads in the handler; the pipe must not be closed under them */

static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;

    atomic_fetch_add(&inside, 1);
    int fd = atomic_load(&signal_pipe);

    if (fd >= 0 && write(fd, &byte, 1) < 0) {
        /* Full: enough signals are waiting. */
    }
    atomic_fetch_sub(&inside, 1);
    errno = saved;
}

void qk__signals_block(sigset_t *before)
{
    static const int kept[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF
    };
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        sigdelset(&set, kept[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

/* Nothing is stored any more, but no process of ours stays behind either. */
static _Noreturn void exit_now(qk_worker *pool)
{
    for (int i = 0; i < atomic_load(&pool->slot_count); i++) {
        pid_t pid = atomic_load(&pool->slots[i]->pid);
        if (pid > 1)
            kill(-pid, SIGKILL);
    }
    _exit(130);
}

bool qk__signals_serve(const qk__signals *signals, qk_worker *pool)
{
    struct pollfd fds[2] = { { .fd = pool->ended_fd, .events = POLLIN },
                             { .fd = signals->fds[0], .events = POLLIN } };
    char bytes[16];
    int count = 0;

    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents)
            return count > 1;
        ssize_t got = read(signals->fds[0], bytes, sizeof(bytes));
        for (ssize_t i = 0; i < got; i++, count++) {
            if (count >= 2)
                exit_now(pool);
            qk__pool_stop(pool, count > 0);
        }
    }
}

qk_status qk__signals_open(qk__signals *signals, qk_error *err)
{
    struct sigaction action;
    int expected = -1;

    if (pipe2(signals->fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot make a pipe for signals");
    if (!atomic_compare_exchange_strong(&signal_pipe, &expected, signals->fds[1])) {
        close(signals->fds[0]);
        close(signals->fds[1]);
        return qk__error(err, QK_ESTATE, "another worker of this process handles signals");
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &signals->before_int);
    sigaction(SIGTERM, &action, &signals->before_term);
    return QK_OK;
}

void qk__signals_close(qk__signals *signals)
{
    sigaction(SIGINT, &signals->before_int, NULL);
    sigaction(SIGTERM, &signals->before_term, NULL);
    atomic_store(&signal_pipe, -1);
    while (atomic_load(&inside) > 0)
        sched_yield();
    close(signals->fds[0]);
    close(signals->fds[1]);
}
