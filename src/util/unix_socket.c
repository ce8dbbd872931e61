/*
 * Unix sockets with long paths; see unix_socket.h.
 *
 * Listening: bound under a short name in the folder, named through the folder's descriptor, then
 * renamed over the final one. Linux takes the mode of a socket file from its inode, so that it can be
 * set before the file is there.
 */
#include "util/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/id.h"

#define BACKLOG 512
#define PAUSE_MS 5

static void close_keeping_errno(int fd)
{
    int kept = errno;
    if (fd >= 0)
        close(fd);
    errno = kept;
}

/* Splits into an opened folder and the name in it. */
static int open_folder(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    *name = slash ? slash + 1 : path;
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int problem = errno;
    free(folder);
    errno = problem;
    return fd;
}

static int bind_in(int folder, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);
    if (fchmod(fd, 0600) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        close_keeping_errno(fd);
        return -1;
    }
    return fd;
}

static qk_status place(int folder, const char *temporary, const char *name, const char *path,
                       const char *like, qk_error *err)
{
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISSOCK(info.st_mode))
        return qk__error(err, QK_EREFUSED, "%s is not a socket: remove it", path);
    if (like && geteuid() == 0 && stat(like, &info) == 0 &&
        fchownat(folder, temporary, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot give the socket %s to its user", path);
    if (renameat(folder, temporary, folder, name) != 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot make the socket %s", path);
    return QK_OK;
}

qk_status qk__unix_listen(int *out, const char *path, const char *like, qk_error *err)
{
    const char *name;
    char temporary[40];
    qk_status rc;

    *out = -1;
    int folder = open_folder(path, &name);
    if (folder < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot open the folder of %s", path);
    snprintf(temporary, sizeof(temporary), ".qk-%016llx.sock",
             (unsigned long long)qk__random_u64());
    int fd = bind_in(folder, temporary);
    if (fd < 0) {
        rc = qk__error_errno(err, QK_EIO, errno,
                             "cannot make the socket %s: the folder must be writable and on a file "
                             "system that has sockets",
                             path);
    } else {
        rc = place(folder, temporary, name, path, like, err);
        if (rc)
            unlinkat(folder, temporary, 0);
    }
    if (rc) {
        close_keeping_errno(fd);
        fd = -1;
    }
    close_keeping_errno(folder);
    *out = fd;
    return rc;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* 0, or an errno. A full queue of the listener gives EAGAIN: it is tried again for a while. */
static int connect_to(int fd, int target, int64_t wait_us)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int64_t end = now_us() + wait_us;
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", target);
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        if (now_us() >= end)
            return ETIMEDOUT;
        poll(NULL, 0, PAUSE_MS);
    }
    return 0;
}

static qk_status explain(const char *path, int problem, qk_error *err)
{
    switch (problem) {
    case ENOENT:
    case ECONNREFUSED:
        return qk__error_errno(err, QK_ESTORE, problem, "nobody listens at %s", path);
    case ETIMEDOUT:
        return qk__error_errno(err, QK_ESTORE, problem,
                               "the process that listens at %s takes no connection: it may be "
                               "stopped",
                               path);
    case EACCES:
    case EPERM:
        return qk__error_errno(err, QK_EREFUSED, problem,
                               "%s belongs to another user: work as that user", path);
    default:
        return qk__error_errno(err, QK_EIO, problem, "cannot connect to %s", path);
    }
}

/* 0, or an errno. */
static int connect_new(int *out, int target, int64_t wait_us)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int problem = fd < 0 ? errno : connect_to(fd, target, wait_us);
    if (problem && fd >= 0) {
        close(fd);
        fd = -1;
    }
    *out = fd;
    return problem;
}

qk_status qk__unix_connect(int *out, const char *path, int64_t wait_us, qk_error *err)
{
    *out = -1;
    int target = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return explain(path, errno, err);
    int problem = connect_new(out, target, wait_us);
    close(target);
    return problem ? explain(path, problem, err) : QK_OK;
}

qk_status qk__unix_connect_to(int *out, int target, int64_t wait_us, qk_error *err)
{
    int problem = connect_new(out, target, wait_us);
    return problem ? explain("the owner's socket", problem, err) : QK_OK;
}
