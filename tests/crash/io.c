/*
 * libc's calls, replaced; see io.h. Any thread; the rule is guarded by `rule_lock`.
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FDS 4096

static _Atomic uint8_t kinds[FDS];
static _Atomic uint64_t counts[IO_FILES][IO_CALLS];
static _Atomic uint64_t hit_count;
static atomic_bool armed;
static pthread_mutex_t rule_lock = PTHREAD_MUTEX_INITIALIZER;
static struct io_rule rule;
static uint64_t matched;
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;

void io_hold(void)
{
    pthread_rwlock_wrlock(&gate);
}

void io_release(void)
{
    pthread_rwlock_unlock(&gate);
}

/* Around each call that changes a store's file; other files pass an io_hold. */
static bool enter(enum io_file file)
{
    return file != IO_OTHER && pthread_rwlock_rdlock(&gate) == 0;
}

static void leave(bool entered)
{
    int error = errno;
    if (entered)
        pthread_rwlock_unlock(&gate);
    errno = error;
}

void io_arm(const struct io_rule *new_rule)
{
    pthread_mutex_lock(&rule_lock);
    rule = *new_rule;
    matched = 0;
    atomic_store(&hit_count, 0);
    atomic_store(&armed, true);
    pthread_mutex_unlock(&rule_lock);
}

void io_disarm(void)
{
    atomic_store(&armed, false);
}

uint64_t io_count(enum io_file file, enum io_call call)
{
    return atomic_load(&counts[file][call]);
}

uint64_t io_hits(void)
{
    return atomic_load(&hit_count);
}

static enum io_file kind_of_path(const char *path)
{
    const char *dot = path ? strstr(path, ".duckdb") : NULL;
    if (!dot)
        return IO_OTHER;
    if (strcmp(dot, ".duckdb") == 0)
        return IO_MAIN;
    return strncmp(dot, ".duckdb.wal", 11) == 0 ? IO_WAL : IO_OTHER;
}

static enum io_file kind_of(int fd)
{
    return fd >= 0 && fd < FDS ? (enum io_file)atomic_load(&kinds[fd]) : IO_OTHER;
}

/* What is to happen to this call. */
static enum io_action decide(enum io_file file, enum io_call call, int *error)
{
    enum io_action action = IO_PASS;
    atomic_fetch_add(&counts[file][call], 1);
    if (!atomic_load(&armed))
        return IO_PASS;
    pthread_mutex_lock(&rule_lock);
    if ((rule.files >> file & 1) && (rule.calls >> call & 1)) {
        uint64_t n = matched++;
        if (n >= rule.skip && (rule.times == 0 || n < rule.skip + rule.times)) {
            action = rule.action;
            *error = rule.error;
            atomic_fetch_add(&hit_count, 1);
            if (rule.hits)
                atomic_fetch_add(rule.hits, 1);
        }
    }
    pthread_mutex_unlock(&rule_lock);
    return action;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static ssize_t do_write(int fd, const char *data, size_t size, off_t at, bool positioned)
{
    bool entered = enter(kind_of(fd));
    ssize_t done =
        positioned ? syscall(SYS_pwrite64, fd, data, size, at) : syscall(SYS_write, fd, data, size);
    leave(entered);
    return done;
}

static ssize_t faulty_write(int fd, const char *data, size_t size, off_t at, bool positioned)
{
    int error = 0;
    enum io_action action = decide(kind_of(fd), IO_WRITE, &error);
    if (action == IO_KILL_BEFORE)
        die();
    if (action == IO_FAIL) {
        errno = error;
        return -1;
    }
    bool half = action == IO_KILL_HALF || action == IO_FAIL_HALF;
    ssize_t done = do_write(fd, data, half ? size / 2 : size, at, positioned);
    if (action == IO_KILL_HALF || action == IO_KILL_AFTER)
        die();
    if (action == IO_FAIL_HALF || action == IO_FAIL_AFTER) {
        errno = error;
        return -1;
    }
    return done;
}

/* A call that is done as a whole, while nobody holds the store's files. */
static int whole(enum io_file file, long number, long a, long b, long c, long d, long e)
{
    bool entered = enter(file);
    int done = (int)syscall(number, a, b, c, d, e);
    leave(entered);
    return done;
}

/* Before a call that is done as a whole. True: it must not be done. */
static bool refuse(enum io_action action, int error)
{
    if (action == IO_KILL_BEFORE || action == IO_KILL_HALF)
        die();
    if (action == IO_FAIL || action == IO_FAIL_HALF)
        errno = error;
    return action == IO_FAIL || action == IO_FAIL_HALF;
}

/* After it. */
static int finish(enum io_action action, int error, int done)
{
    if (action == IO_KILL_AFTER)
        die();
    if (action != IO_FAIL_AFTER)
        return done;
    errno = error;
    return -1;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
    return faulty_write(fd, data, size, 0, false);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return faulty_write(fd, data, size, at, true);
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return faulty_write(fd, data, size, at, true);
}

EXPORT int fsync(int fd)
{
    int error = 0;
    enum io_action action = decide(kind_of(fd), IO_SYNC, &error);
    return refuse(action, error)
               ? -1
               : finish(action, error, whole(kind_of(fd), SYS_fsync, fd, 0, 0, 0, 0));
}

EXPORT int ftruncate(int fd, off_t size)
{
    int error = 0;
    enum io_action action = decide(kind_of(fd), IO_TRUNCATE, &error);
    return refuse(action, error)
               ? -1
               : finish(action, error, whole(kind_of(fd), SYS_ftruncate, fd, size, 0, 0, 0));
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t size)
{
    int error = 0;
    enum io_action action = decide(kind_of(fd), IO_TRUNCATE, &error);
    return refuse(action, error)
               ? -1
               : finish(action, error, whole(kind_of(fd), SYS_fallocate, fd, mode, at, size, 0));
}

EXPORT int rename(const char *from, const char *to)
{
    int error = 0;
    enum io_file file = kind_of_path(from);
    enum io_action action = decide(file, IO_RENAME, &error);
    return refuse(action, error)
               ? -1
               : finish(action, error,
                        whole(file, SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0));
}

EXPORT int unlink(const char *path)
{
    int error = 0;
    enum io_file file = kind_of_path(path);
    enum io_action action = decide(file, IO_RENAME, &error);
    return refuse(action, error)
               ? -1
               : finish(action, error, whole(file, SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0));
}

static int open_file(const char *path, int flags, mode_t mode)
{
    int error = 0;
    enum io_file file = kind_of_path(path);
    enum io_action action = decide(file, IO_OPEN, &error);
    if (refuse(action, error))
        return -1;
    int fd = finish(action, error, (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode));
    if (fd >= 0 && fd < FDS)
        atomic_store(&kinds[fd], (uint8_t)file);
    return fd;
}

/* The mode of a call that may create a file. */
#define TAKE_MODE(mode, flags)                                                                     \
    do {                                                                                           \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                     \
            va_list args;                                                                          \
            va_start(args, flags);                                                                 \
            (mode) = va_arg(args, mode_t);                                                         \
            va_end(args);                                                                          \
        }                                                                                          \
    } while (0)

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    TAKE_MODE(mode, flags);
    return open_file(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    TAKE_MODE(mode, flags);
    return open_file(path, flags, mode);
}

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        atomic_store(&kinds[fd], IO_OTHER);
    return (int)syscall(SYS_close, fd);
}
