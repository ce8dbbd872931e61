/*
 * The owner's lock, by fcntl(F_OFD_SETLK).
 */
#include "store/embedded/lock.h"

#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_US 20000
/* The lock lies on bytes, of which the file has none to spare: locks may lie beyond its end. */
#define OWNER_BYTE 0
#define STAY_BYTE 1

static int open_lock_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        close(fd);
        errno = ELOOP;
        return -1;
    }
    return fd;
}

static bool try_lock(int fd)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = OWNER_BYTE, .l_len = 1
    };
    return fcntl(fd, F_OFD_SETLK, &range) == 0;
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Told to whoever is refused; a hint only, the lock is what counts. */
static void write_pid(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        return;
    }
}

static long read_pid(int fd)
{
    char text[32] = "";
    return pread(fd, text, sizeof text - 1, 0) <= 0 ? 0 : strtol(text, NULL, 10);
}

static qk_status open_beside(int *out, const char *store_path, qk_error *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s.lock", store_path) >= sizeof path) {
        return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    *out = open_lock_file(path);
    if (*out < 0) {
        return qk__error_errno(err, errno == ELOOP ? QK_EREFUSED : QK_EIO, errno,
                               "cannot open the lock file %s: check the folder's permissions",
                               path);
    }
    return QK_OK;
}

qk_status qk__file_lock_take(qk__file_lock *lock, const char *store_path, int64_t wait_us,
                             qk_error *err)
{
    int fd = -1;
    lock->fd = -1;
    qk_status opened = open_beside(&fd, store_path, err);
    if (opened != QK_OK) {
        return opened;
    }
    int64_t end = monotonic_us() + wait_us;
    while (!try_lock(fd)) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            qk_status rc = qk__error_errno(err, QK_EIO, errno, "cannot lock %s.lock", store_path);
            close(fd);
            return rc;
        }
        if (monotonic_us() >= end) {
            long pid = read_pid(fd);
            close(fd);
            return qk__error(err, QK_EBUSY,
                             "%s is in use by another process (pid %ld): wait until it ends",
                             store_path, pid);
        }
        struct timespec pause = { 0, POLL_US * 1000L };
        nanosleep(&pause, NULL);
    }
    write_pid(fd);
    lock->fd = fd;
    return QK_OK;
}

void qk__file_lock_release(qk__file_lock *lock)
{
    if (lock->fd >= 0) {
        close(lock->fd);
        lock->fd = -1;
    }
}

qk_status qk__file_stay(qk__file_lock *mark, const char *store_path, qk_error *err)
{
    struct flock range = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = STAY_BYTE, .l_len = 1
    };
    qk_status rc = open_beside(&mark->fd, store_path, err);
    if (rc == QK_OK && fcntl(mark->fd, F_OFD_SETLK, &range) != 0) {
        rc = qk__error_errno(err, QK_EIO, errno, "cannot lock %s.lock", store_path);
        qk__file_lock_release(mark);
    }
    return rc;
}

bool qk__file_others_stay(const char *store_path)
{
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STAY_BYTE, .l_len = 1
    };
    int fd = -1;
    if (open_beside(&fd, store_path, NULL) != QK_OK) {
        return false;
    }
    bool found = fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
    close(fd);
    return found;
}

long qk__file_lock_pid(const char *store_path)
{
    int fd = -1;
    if (open_beside(&fd, store_path, NULL) != QK_OK) {
        return 0;
    }
    long pid = read_pid(fd);
    close(fd);
    return pid;
}
