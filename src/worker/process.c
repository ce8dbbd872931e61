/*
 * Child processes; see process.h.
 *
 * posix_spawn (a vfork inside), so that the cost does not grow with the worker's memory. The child
 * gets: a session of its own (its group is killed as one, and a terminal's Ctrl-C does not reach
 * it), default signals, an empty mask, and no descriptors but 0, 1 and 2. Its end is learned from a
 * pidfd, since a grandchild may hold the pipes for ever.
 *
 * The child is reaped last: until then its process id, and so the group's, cannot be reused, and a
 * signal to the group hits nobody else.
 */
#include "worker/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"

#define GRACE_MS 5000 /* between SIGTERM and SIGKILL */
#define DRAIN_MS 1000 /* for output after the end */
#define TICK_MS 200
#define NO_PIDFD_MS 20 /* how often to look where there are no pidfds */

enum { IN = 0, OUT = 1, ERR = 2 };

typedef struct process {
    const qk__process_spec *spec;
    qk__process_end *end;
    pid_t pid;
    int pidfd; /* -1: the kernel has none */
    int ours[3], theirs[3]; /* -1: closed */
    size_t input_sent;
    bool exited, terminated, killed;
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

/* What the errno of a failed spawn is about. */
static qk_status explain(const process *process, int number, qk_error *err)
{
    const char *cwd = process->spec->cwd;
    struct stat status;

    if (number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE)
        return qk__error_errno(err, QK_EIO, number, "cannot start a process");
    if (cwd && stat(cwd, &status) != 0)
        return qk__error_errno(err, QK_EINVAL, errno, "cannot run in the folder %s", cwd);
    if (cwd && !S_ISDIR(status.st_mode))
        return qk__error_errno(err, QK_EINVAL, ENOTDIR, "cannot run in the folder %s", cwd);
    if (cwd && access(cwd, X_OK) != 0)
        return qk__error_errno(err, QK_EINVAL, errno, "cannot run in the folder %s", cwd);
    return qk__error_errno(err, QK_EINVAL, number, "cannot run %s", process->spec->argv[0]);
}

static int set_up(const process *process, posix_spawn_file_actions_t *actions,
                  posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int rc = 0;

    for (int i = IN; i <= ERR && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(actions, process->theirs[i], i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (rc == 0 && process->spec->cwd)
        rc = posix_spawn_file_actions_addchdir_np(actions, process->spec->cwd);
    sigemptyset(&none);
    sigfillset(&all);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF);
    return rc;
}

/* Looks through the command's own PATH, as execvp would in its folder. 0 and *out (free it), of
 * which the part from *from on is for the child; or an errno. */
static int find_in_path(char **out, size_t *from, const qk__process_spec *spec, const char *path)
{
    const char *cwd = spec->cwd ? spec->cwd : ".";
    size_t size = strlen(path) + strlen(spec->argv[0]) + strlen(cwd) + 4;
    char *candidate = malloc(size);
    int rc = candidate ? ENOENT : ENOMEM;

    for (const char *at = path; candidate && at;) {
        const char *colon = strchr(at, ':');
        int length = colon ? (int)(colon - at) : (int)strlen(at);
        struct stat status;

        /* A relative entry is looked up from the command's folder, where the child will be. */
        *from = *at == '/' ? 0 : strlen(cwd) + 1;
        snprintf(candidate, size, "%s%s%.*s/%s", *from ? cwd : "", *from ? "/" : "",
                 length ? length : 1, length ? at : ".", spec->argv[0]);
        if (stat(candidate, &status) == 0 && S_ISREG(status.st_mode)) {
            if (access(candidate, X_OK) == 0) {
                *out = candidate;
                return 0;
            }
            rc = EACCES;
        }
        at = colon ? colon + 1 : NULL;
    }
    free(candidate);
    return rc;
}

static const char *path_of(char *const *env)
{
    for (; *env; env++) {
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    }
    return "/bin:/usr/bin";
}

static int start(process *process, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes)
{
    const qk__process_spec *spec = process->spec;
    const char *program = spec->argv[0];
    char *found = NULL;
    size_t from = 0;

    if (strchr(program, '/'))
        return posix_spawn(&process->pid, program, actions, attributes, spec->argv, spec->env);
    int rc = find_in_path(&found, &from, spec, path_of(spec->env));
    if (rc == 0)
        rc = posix_spawn(&process->pid, found + from, actions, attributes, spec->argv, spec->env);
    free(found);
    return rc;
}

static qk_status spawn(process *process, qk_error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int rc = set_up(process, &actions, &attributes);
    if (rc == 0)
        rc = start(process, &actions, &attributes);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    for (int i = IN; i <= ERR; i++)
        close_fd(&process->theirs[i]);
    if (rc != 0)
        return explain(process, rc, err);
    process->pidfd = pidfd_open(process->pid, 0);
    return QK_OK;
}

/* Reads what there is, at most 64 KiB. */
static void read_output(process *process, int which)
{
    char chunk[65536];
    qk__stream *stream = which == OUT ? &process->end->out : &process->end->err;
    ssize_t got = read(process->ours[which], chunk, sizeof(chunk));

    if (got > 0) {
        qk__stream_append(stream, chunk, (size_t)got);
        qk__tail_append(&process->end->log, chunk, (size_t)got);
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

static void send_signals(process *process, int64_t now)
{
    if (!process->terminated && atomic_load(process->spec->cancelled)) {
        kill(-process->pid, SIGTERM);
        process->terminated = true;
        process->kill_at = now + GRACE_MS;
    }
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
    return until > now ? (int)(until - now) : 0;
}

static bool over(const process *process, int64_t now)
{
    if (!process->exited)
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
            process->spec->tick(process->spec->user);
            process->tick_at = now + TICK_MS;
        }
    }
}

static void reap(process *process)
{
    siginfo_t info = { 0 };
    int rc;

    if (process->terminated)
        kill(-process->pid, SIGKILL); /* who is left of the group */
    do {
        rc = waitid(P_PID, (id_t)process->pid, &info, WEXITED);
    } while (rc < 0 && errno == EINTR);
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
    qk_status rc = open_pipes(&process, err);
    if (rc == QK_OK)
        rc = spawn(&process, err);
    if (rc == QK_OK) {
        follow(&process);
        reap(&process);
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
