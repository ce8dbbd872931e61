/*
 * Processes that host plugins; see host_process.h.
 */
#include "worker/host_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/spawn.h"

#define GRACE_MS 5000 /* between a cancellation and SIGKILL, as for commands */
#define LOOK_MS 200 /* how often to look at the flag when nothing tells of it */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Above 2, as a child's descriptors must be. */
static int above(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    return copy >= 0 ? copy : open("/dev/null", O_RDWR | O_CLOEXEC);
}

static qk_status spawn(qk__host *host, char *const *argv, char *const *env, qk_error *err)
{
    int pair[2] = { -1, -1 };

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot make a socket for a plugin");
    host->link.fd = pair[0];
    int fds[3] = { above(pair[1]), above(STDOUT_FILENO), above(STDERR_FILENO) };
    close(pair[1]);
    const qk__spawn_spec spec = { .argv = argv, .env = env, .fds = fds };
    qk_status rc = fds[0] < 0 || fds[1] < 0 || fds[2] < 0
                       ? qk__error_errno(err, QK_EIO, errno, "no descriptors for a plugin")
                       : qk__spawn(&host->pid, &spec, err);
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (rc == QK_OK && fcntl(host->link.fd, F_SETFL, O_NONBLOCK) < 0)
        rc = qk__error_errno(err, QK_EIO, errno, "cannot use a socket for a plugin");
    return rc;
}

qk_status qk__host_start(qk__host **out, char *const *argv, char *const *env, size_t longest,
                         qk_error *err)
{
    qk__host *host = calloc(1, sizeof(*host));

    if (!host)
        return qk__error(err, QK_ENOMEM, "out of memory for a plugin");
    qk__link_init(&host->link, -1, longest);
    qk_status rc = spawn(host, argv, env, err);
    if (rc != QK_OK) {
        qk__host_reap(host);
        return rc;
    }
    *out = host;
    return QK_OK;
}

typedef struct talk {
    qk__host *host;
    const qk__host_call *call;
    size_t sent;
    bool told; /* of the cancellation */
    int64_t kill_at; /* 0: never */
} talk;

static void tell_cancelled(talk *talk)
{
    qk__buffer *out = talk->call->out;
    uint64_t count;

    while (talk->call->cancel_fd >= 0 && read(talk->call->cancel_fd, &count, sizeof(count)) > 0) {
    }
    if (talk->told || !talk->call->cancelled || !atomic_load(talk->call->cancelled))
        return;
    talk->told = true;
    talk->kill_at = now_ms() + GRACE_MS;
    size_t began = qk__message_begin(out, QK__HOST_CANCEL);
    qk__message_number(out, talk->call->number);
    qk__message_end(out, began);
}

/* Milliseconds until something must be looked at. */
static int patience(const talk *talk)
{
    int64_t least = talk->call->cancelled && !talk->told ? LOOK_MS : -1;

    if (talk->kill_at) {
        int64_t left = talk->kill_at - now_ms();
        left = left < 0 ? 0 : left;
        least = least < 0 || left < least ? left : least;
    }
    return (int)least;
}

/* 1: the answer is there; 0: go on; -1: it is over. */
static int step(talk *talk)
{
    qk__host *host = talk->host;
    bool all = talk->sent == talk->call->out->length;
    struct pollfd fds[2] = {
        { .fd = host->link.fd, .events = (short)(POLLIN | (all ? 0 : POLLOUT)) },
        { .fd = talk->told ? -1 : talk->call->cancel_fd, .events = POLLIN },
    };
    int ready = poll(fds, 2, patience(talk));

    if (ready < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -1;
    tell_cancelled(talk);
    if (talk->kill_at && now_ms() >= talk->kill_at) {
        kill(-host->pid, SIGKILL);
        return -1;
    }
    if (talk->call->out->failed)
        return -1;
    if (talk->sent < talk->call->out->length &&
        qk__link_send(&host->link, talk->call->out, &talk->sent) < 0)
        return -1;
    return fds[0].revents & (POLLIN | POLLHUP | POLLERR) ? qk__link_receive(&host->link) : 0;
}

bool qk__host_ask(qk__host *host, const qk__host_call *call)
{
    talk talk = { .host = host, .call = call };
    int rc = 0;

    if (call->limit_ms)
        talk.kill_at = now_ms() + call->limit_ms;
    while (rc == 0)
        rc = step(&talk);
    return rc > 0;
}

bool qk__host_is_idle(const qk__host *host)
{
    struct pollfd fd = { .fd = host->link.fd, .events = POLLIN };

    return poll(&fd, 1, 0) == 0;
}

void qk__host_await(const qk__host *host, int ms)
{
    struct pollfd fd = { .fd = host->link.fd, .events = POLLIN };

    while (poll(&fd, 1, ms) < 0 && errno == EINTR) {
    }
}

int qk__host_reap(qk__host *host)
{
    int status = -1;
    pid_t got = 0;

    if (host->pid > 0) {
        kill(-host->pid, SIGKILL); /* what ended by itself keeps its own end */
        do {
            got = waitpid(host->pid, &status, 0);
        } while (got < 0 && errno == EINTR);
        qk__spawn_forget(host->pid);
    }
    qk__link_dispose(&host->link);
    free(host);
    return got > 0 ? status : -1;
}

void qk__host_quit(qk__host *host)
{
    qk__buffer out;
    size_t sent = 0;

    qk__buffer_init(&out, 64);
    qk__message_end(&out, qk__message_begin(&out, QK__HOST_QUIT));
    if (!out.failed)
        (void)qk__link_send(&host->link, &out, &sent);
    qk__buffer_dispose(&out);
}
