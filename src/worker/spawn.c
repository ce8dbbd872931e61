/*
 * Starting a child process; see spawn.h.
 *
 * posix_spawn (a vfork inside), so that the cost does not grow with the worker's memory. The child
 * gets: a session of its own (its group is killed as one, and a terminal's Ctrl-C does not reach
 * it), default signals, an empty mask, and no descriptors but 0, 1 and 2. posix_spawn cannot set
 * resource limits; a command that has some is started with fork, where the child may only make
 * calls that are safe after it.
 *
 * Locks: `gate` is held for reading from before a child exists until it is listed, for writing by
 * who reaps adopted orphans; `list_lock` guards the list, and is taken inside `gate`.
 */
#include "worker/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"

#define OURS_MAX 8192 /* twice the slots of the largest pool */
#define CPU_GRACE_S 5 /* between SIGXCPU and SIGKILL */

static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t ours[OURS_MAX];
static size_t ours_count;

/* What the errno of a failed spawn is about. */
static qk_status explain(const qk__spawn_spec *spec, int number, qk_error *err)
{
    const char *cwd = spec->cwd;
    struct stat status;

    if (number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE)
        return qk__error_errno(err, QK_EIO, number, "cannot start a process");
    if (cwd && stat(cwd, &status) != 0)
        return qk__error_errno(err, QK_EINVAL, errno, "cannot run in the folder %s", cwd);
    if (cwd && !S_ISDIR(status.st_mode))
        return qk__error_errno(err, QK_EINVAL, ENOTDIR, "cannot run in the folder %s", cwd);
    if (cwd && access(cwd, X_OK) != 0)
        return qk__error_errno(err, QK_EINVAL, errno, "cannot run in the folder %s", cwd);
    return qk__error_errno(err, QK_EINVAL, number, "cannot run %s", spec->argv[0]);
}

static int set_up(const qk__spawn_spec *spec, posix_spawn_file_actions_t *actions,
                  posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(actions, spec->fds[i], i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (rc == 0 && spec->cwd)
        rc = posix_spawn_file_actions_addchdir_np(actions, spec->cwd);
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
static int find_in_path(char **out, size_t *from, const qk__spawn_spec *spec, const char *path)
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

static int start_plain(pid_t *pid, const char *program, const qk__spawn_spec *spec)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int rc = set_up(spec, &actions, &attributes);
    if (rc == 0)
        rc = posix_spawn(pid, program, &actions, &attributes, spec->argv, spec->env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

static int limit(int resource, uint64_t value, uint64_t hard)
{
    const struct rlimit both = { (rlim_t)value, (rlim_t)hard };

    return value == 0 || setrlimit((__rlimit_resource_t)resource, &both) == 0 ? 0 : errno;
}

static int set_limits(const qk_limits *limits)
{
    int rc = limit(RLIMIT_AS, limits->memory, limits->memory);

    if (rc == 0)
        rc = limit(RLIMIT_CPU, limits->cpu_seconds, limits->cpu_seconds + CPU_GRACE_S);
    if (rc == 0)
        rc = limit(RLIMIT_NOFILE, limits->open_files, limits->open_files);
    if (rc == 0)
        rc = limit(RLIMIT_FSIZE, limits->file_size, limits->file_size);
    return rc;
}

/* In the forked child: calls that are safe after a fork only. Comes back with an errno. `report` is
 * above 2. */
static int become(const char *program, const qk__spawn_spec *spec, int report)
{
    struct sigaction standard;
    sigset_t none;

    setsid();
    memset(&standard, 0, sizeof(standard));
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL); /* fails for some, which is right */
    for (int i = 0; i < 3; i++) {
        if (dup2(spec->fds[i], i) < 0)
            return errno;
    }
    if (report != 3 && dup3(report, 3, O_CLOEXEC) < 0)
        return errno;
    closefrom(4);
    if (spec->cwd && chdir(spec->cwd) < 0)
        return errno;
    int rc = set_limits(spec->limits);
    if (rc != 0)
        return rc;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program, spec->argv, spec->env);
    return errno;
}

/* The child's errno, or 0 when it became the program. */
static int await_report(pid_t pid, int fd)
{
    int number = 0;
    ssize_t got;

    do {
        got = read(fd, &number, sizeof(number));
    } while (got < 0 && errno == EINTR);
    if (got != sizeof(number))
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return number ? number : EIO;
}

static int start_limited(pid_t *pid, const char *program, const qk__spawn_spec *spec)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return errno;
    int report = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
    close(fds[1]);
    *pid = report < 0 ? -1 : fork();
    int rc = *pid < 0 ? errno : 0;
    if (*pid == 0) {
        int number = become(program, spec, report);
        ssize_t written = write(3, &number, sizeof(number));
        _exit(written == sizeof(number) ? 127 : 126);
    }
    if (report >= 0)
        close(report);
    if (rc == 0)
        rc = await_report(*pid, fds[0]);
    close(fds[0]);
    return rc;
}

static int start(pid_t *pid, const qk__spawn_spec *spec)
{
    const char *program = spec->argv[0];
    char *found = NULL;
    size_t from = 0;
    int rc = 0;

    if (!strchr(program, '/')) {
        rc = find_in_path(&found, &from, spec, path_of(spec->env));
        program = found + from;
    }
    if (rc == 0)
        rc = spec->limits ? start_limited(pid, program, spec) : start_plain(pid, program, spec);
    free(found);
    return rc;
}

static bool any_limit(const qk_limits *limits)
{
    return limits &&
           (limits->memory || limits->cpu_seconds || limits->open_files || limits->file_size);
}

qk_status qk__spawn(pid_t *out, const qk__spawn_spec *spec, qk_error *err)
{
    qk__spawn_spec plain = *spec;
    pid_t pid = -1;

    if (!any_limit(spec->limits))
        plain.limits = NULL;
    pthread_rwlock_rdlock(&gate);
    int rc = start(&pid, &plain);
    if (rc == 0) {
        pthread_mutex_lock(&list_lock);
        if (ours_count < OURS_MAX)
            ours[ours_count++] = pid;
        pthread_mutex_unlock(&list_lock);
    }
    pthread_rwlock_unlock(&gate);
    if (rc != 0)
        return explain(spec, rc, err);
    *out = pid;
    return QK_OK;
}

void qk__spawn_forget(pid_t pid)
{
    pthread_mutex_lock(&list_lock);
    for (size_t i = 0; i < ours_count; i++) {
        if (ours[i] == pid) {
            ours[i] = ours[--ours_count];
            break;
        }
    }
    pthread_mutex_unlock(&list_lock);
}

static bool is_ours(pid_t pid)
{
    bool found = false;

    pthread_mutex_lock(&list_lock);
    for (size_t i = 0; i < ours_count && !found; i++)
        found = ours[i] == pid;
    found = found || ours_count == OURS_MAX;
    pthread_mutex_unlock(&list_lock);
    return found;
}

void qk__spawn_reap_adopted(void)
{
    for (int i = 0; i < 1000; i++) {
        siginfo_t info = { 0 };

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        /* Under the lock nothing can be between being born and being listed. */
        pthread_rwlock_wrlock(&gate);
        bool foreign = !is_ours(info.si_pid);
        if (foreign)
            waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        pthread_rwlock_unlock(&gate);
        if (!foreign)
            return; /* its slot takes it at once, and then others come into view */
    }
}
