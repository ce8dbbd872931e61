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
    static const int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS,
                                SIGPROF };
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        sigdelset(&set, kept[i]);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

/* Until the slots have ended. Returns how many signals came. */
static int serve(qk_worker *pool, int read_fd)
{
    struct pollfd fds[2] = { { .fd = pool->ended_fd, .events = POLLIN },
                             { .fd = read_fd, .events = POLLIN } };
    char bytes[16];
    int count = 0;

    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents)
            return count;
        ssize_t got = read(read_fd, bytes, sizeof(bytes));
        for (ssize_t i = 0; i < got; i++, count++)
            qk__pool_stop(pool, count > 0);
    }
}

qk_status qk__signals_run(qk_worker *pool, bool *hard, qk_error *err)
{
    struct sigaction action, before_int, before_term;
    int fds[2], expected = -1;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot make a pipe for signals");
    if (!atomic_compare_exchange_strong(&signal_pipe, &expected, fds[1])) {
        close(fds[0]);
        close(fds[1]);
        return qk__error(err, QK_ESTATE, "another worker of this process handles signals");
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    *hard = serve(pool, fds[0]) > 1;
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    atomic_store(&signal_pipe, -1);
    while (atomic_load(&inside) > 0)
        sched_yield();
    close(fds[0]);
    close(fds[1]);
    return QK_OK;
}
