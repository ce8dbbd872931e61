/*
 * Child processes; see process.h.
 *
 * Its end is learned from a pidfd, since a grandchild may hold the pipes for ever. Our own copies of
 * the pipes' writing ends stay open until then: so the end of a command wakes us once, not once per
 * pipe and once more.
 *
 * The child is reaped last: until then its process id, and so the group's and the session's, cannot
 * be reused, and a signal to the group hits nobody else.
 */
#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/spawn.h"
#include "worker/strays.h"

#define GRACE_MS 5000 /* between SIGTERM and SIGKILL */
#define DRAIN_MS 1000 /* for output after the end */
#define TICK_MS 200
#define STRAYS_MS 20 /* how often to look whether others have ended too */
#define NO_PIDFD_MS 20 /* how often to look where there are no pidfds */

enum { IN = 0, OUT = 1, ERR = 2 };

typedef struct process {
    const qk__process_spec *spec;
    qk__process_end *end;
    pid_t pid;
    int pidfd; /* -1: the kernel has none */
    int ours[3], theirs[3]; /* -1: closed */
    qk__buffer held[3]; /* output that a secret may begin with */
    size_t input_sent;
    bool exited, terminated, killed;
    qk__strays *strays; /* once terminated; NULL: out of memory */
    int64_t kill_at, drain_until, tick_at; /* ms */
} process;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Where the worker runs without 0, 1 or 2, a pipe must not lie where the child's are put. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

static qk_status open_pipes(process *process, qk_error *err)
{
    for (int i = IN; i <= ERR; i++) {
        int fds[2];

        if (i == IN && !process->spec->input) {
            process->theirs[IN] = above_standard(open("/dev/null", O_RDONLY | O_CLOEXEC));
            if (process->theirs[IN] < 0)
                return qk__error_errno(err, QK_EIO, errno, "cannot open /dev/null");
            continue;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
            return qk__error_errno(err, QK_EIO, errno, "cannot make a pipe for a command");
        process->ours[i] = i == IN ? fds[1] : fds[0];
        process->theirs[i] = above_standard(i == IN ? fds[0] : fds[1]);
        if (process->theirs[i] < 0)
            return qk__error_errno(err, QK_EIO, errno, "cannot make a pipe for a command");
        fcntl(process->ours[i], F_SETFL, O_NONBLOCK);
    }
    return QK_OK;
}

static qk_status spawn(process *process, qk_error *err)
{
    const qk__process_spec *spec = process->spec;
    const qk__spawn_spec child = {
        .argv = spec->argv,
        .env = spec->env,
        .cwd = spec->cwd,
        .fds = process->theirs,
        .limits = spec->limits,
    };
    qk_status rc = qk__spawn(&process->pid, &child, err);

    close_fd(&process->theirs[IN]);
    if (rc != QK_OK)
        return rc;
    if (spec->started)
        spec->started(spec->user, process->pid);
    process->pidfd = pidfd_open(process->pid, 0);
    return QK_OK;
}

static void keep(process *process, int which, const char *data, size_t length)
{
    qk__stream *stream = which == OUT ? &process->end->out : &process->end->err;
    qk__stream_append(stream, data, length);
    qk__tail_append(&process->end->log, data, length);
}

static void keep_masked(process *process, int which, const char *data, size_t length, bool last)
{
    qk__buffer text;
    qk__buffer_init(&text, SIZE_MAX / 2);
    if (qk__mask(&text, &process->held[which], process->spec->secrets, data, length, last)) {
        if (text.length)
            keep(process, which, text.data, text.length);
    } else {
        (which == OUT ? &process->end->out : &process->end->err)->failed = true;
    }
    qk__buffer_dispose(&text);
}

static void keep_held(process *process)
{
    for (int i = OUT; i <= ERR; i++) {
        if (process->held[i].length)
            keep_masked(process, i, "", 0, true);
        qk__buffer_dispose(&process->held[i]);
    }
}

/* Reads what there is, at most 64 KiB. */
static void read_output(process *process, int which)
{
    char chunk[65536];

    if (process->ours[which] < 0)
        return;
    ssize_t got = read(process->ours[which], chunk, sizeof(chunk));

    if (got > 0) {
        if (process->spec->secrets && process->spec->secrets->count)
            keep_masked(process, which, chunk, (size_t)got, false);
        else
            keep(process, which, chunk, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_fd(&process->ours[which]);
    }
}

static void write_input(process *process)
{
    const qk__process_spec *spec = process->spec;
    size_t left = spec->input_length - process->input_sent;
    /* SIGPIPE is blocked in a pool's threads. */
    ssize_t sent = left ? write(process->ours[IN], spec->input + process->input_sent, left) : 0;

    if (sent > 0)
        process->input_sent += (size_t)sent;
    if (process->input_sent == spec->input_length ||
        (sent < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&process->ours[IN]);
}

static bool has_exited(process *process, short events)
{
    siginfo_t info = { 0 };

    if (process->pidfd >= 0)
        return events != 0;
    return waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ||
           info.si_pid != 0;
}

static void terminate(process *process, int64_t now)
{
    /* The tree is whole now; once parents have ended some could no longer be told apart. */
    process->strays = qk__strays_find(process->pid, process->spec->mark);
    kill(-process->pid, SIGTERM);
    qk__strays_signal(process->strays, SIGTERM);
    process->terminated = true;
    process->kill_at = now + GRACE_MS;
}

static void send_signals(process *process, int64_t now)
{
    if (!process->terminated && atomic_load(process->spec->cancelled))
        terminate(process, now);
    if (process->terminated && !process->killed && now >= process->kill_at) {
        kill(-process->pid, SIGKILL);
        process->killed = true;
        if (process->exited)
            process->drain_until = now;
    }
}

/* When to stop reading although somebody still holds the pipes. Of a group told to stop, the
 * children of a shell that ended at once get the whole grace as well. */
static int64_t drain_limit(const process *process, int64_t now)
{
    if (process->terminated && !process->killed)
        return process->kill_at + DRAIN_MS;
    return now + DRAIN_MS;
}

static int poll_timeout(const process *process, int64_t now)
{
    int64_t until = process->exited ? process->drain_until : process->tick_at;

    if (process->terminated && !process->killed && process->kill_at < until)
        until = process->kill_at;
    if (!process->exited && process->pidfd < 0 && now + NO_PIDFD_MS < until)
        until = now + NO_PIDFD_MS;
    if (process->exited && process->terminated && !process->killed && now + STRAYS_MS < until)
        until = now + STRAYS_MS;
    return until > now ? (int)(until - now) : 0;
}

static bool over(const process *process, int64_t now)
{
    if (!process->exited)
        return false;
    /* Told to end, the others get their time as well. */
    if (process->terminated && !process->killed && qk__strays_alive(process->strays))
        return false;
    return (process->ours[OUT] < 0 && process->ours[ERR] < 0) || now >= process->drain_until;
}

static void attend(process *process, const struct pollfd fds[5])
{
    if (fds[OUT].revents)
        read_output(process, OUT);
    if (fds[ERR].revents)
        read_output(process, ERR);
    if (fds[IN].revents)
        write_input(process);
    if (!process->exited && has_exited(process, fds[3].revents)) {
        process->exited = true;
        process->drain_until = drain_limit(process, now_ms());
        close_fd(&process->ours[IN]);
        close_fd(&process->theirs[OUT]);
        close_fd(&process->theirs[ERR]);
        read_output(process, OUT);
        read_output(process, ERR);
    }
}

/* Until it has ended and its output is read. */
static void follow(process *process)
{
    int64_t now = now_ms();

    process->tick_at = now + TICK_MS;
    while (!over(process, now)) {
        struct pollfd fds[5] = {
            { .fd = process->ours[IN], .events = POLLOUT },
            { .fd = process->ours[OUT], .events = POLLIN },
            { .fd = process->ours[ERR], .events = POLLIN },
            { .fd = process->exited ? -1 : process->pidfd, .events = POLLIN },
            { .fd = process->terminated ? -1 : process->spec->cancel_fd, .events = POLLIN },
        };
        if (poll(fds, 5, poll_timeout(process, now)) > 0 || process->pidfd < 0)
            attend(process, fds);
        now = now_ms();
        send_signals(process, now);
        if (now >= process->tick_at) {
            process->spec->tick(process->spec->user, process->end);
            process->tick_at = now + TICK_MS;
        }
    }
}

static void reap(process *process)
{
    siginfo_t info = { 0 };
    int rc;

    if (process->terminated) {
        kill(-process->pid, SIGKILL); /* who is left of the group */
        qk__strays_end(process->strays);
    }
    do {
        rc = waitid(P_PID, (id_t)process->pid, &info, WEXITED);
    } while (rc < 0 && errno == EINTR);
    qk__spawn_forget(process->pid);
    process->end->known = rc == 0;
    if (rc == 0 && info.si_code == CLD_EXITED) {
        process->end->exit_code = info.si_status;
    } else if (rc == 0) {
        process->end->signal = info.si_status;
        process->end->exit_code = 128 + info.si_status;
    }
}

qk_status qk__process_run(qk__process_end *end, const qk__process_spec *spec, qk_error *err)
{
    process process = {
        .spec = spec, .end = end, .pidfd = -1, .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 }
    };

    memset(end, 0, sizeof(*end));
    qk__stream_init(&end->out);
    qk__stream_init(&end->err);
    qk__tail_init(&end->log, QK__LOG_TAIL);
    qk__buffer_init(&process.held[OUT], SIZE_MAX / 2);
    qk__buffer_init(&process.held[ERR], SIZE_MAX / 2);
    qk_status rc = open_pipes(&process, err);
    if (rc == QK_OK)
        rc = spawn(&process, err);
    if (rc == QK_OK) {
        follow(&process);
        reap(&process);
        keep_held(&process);
    }
    for (int i = IN; i <= ERR; i++) {
        close_fd(&process.ours[i]);
        close_fd(&process.theirs[i]);
    }
    close_fd(&process.pidfd);
    return rc;
}

void qk__process_end_dispose(qk__process_end *end)
{
    qk__stream_dispose(&end->out);
    qk__stream_dispose(&end->err);
    qk__tail_dispose(&end->log);
}
