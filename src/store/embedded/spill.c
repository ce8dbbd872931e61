/*
 * Spill folders; see spill.h.
 *
 * Between making a folder and locking it, it looks dead. A sweeper locks what it removes, so the
 * maker, once it has the lock, looks whether the name still stands for its folder, and else makes
 * another. Invariants: 1. a folder is swept only with its lock held; 2. only folders of our own,
 * with our rights and our form of name are swept, never through a link; 3. in them only files go.
 */
#include "store/embedded/spill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define PREFIX "queuack-"
#define SUFFIX ".tmp"
#define NAME_SIZE (sizeof(PREFIX) + QK_ID_TEXT_SIZE + sizeof(SUFFIX))
#define MAX_TRIES 100

static bool try_lock(int fd)
{
    int rc;
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static bool is_current(int parent, const char *name, int fd)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static bool is_ours(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & 07777) == 0700;
}

static bool has_our_form(const char *name)
{
    char text[QK_ID_TEXT_SIZE];
    qk_id id;
    if (strlen(name) != strlen(PREFIX) + sizeof(text) - 1 + strlen(SUFFIX) ||
        strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
        strcmp(name + strlen(PREFIX) + sizeof(text) - 1, SUFFIX) != 0)
        return false;
    memcpy(text, name + strlen(PREFIX), sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    return qk_id_parse(&id, text) == QK_OK;
}

/* A listing of its own, so that the descriptor given keeps the lock. */
static DIR *list(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
    if (!entries && copy >= 0)
        close(copy);
    return entries;
}

static void remove_files(int fd)
{
    DIR *entries = list(fd);
    struct dirent *entry;
    if (!entries)
        return;
    while ((entry = readdir(entries)))
        (void)unlinkat(fd, entry->d_name, 0); /* not a folder: those stay, and so does this one */
    closedir(entries);
}

static void sweep_one(int parent, const char *name, const qk__log *log)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (is_ours(fd) && try_lock(fd) && is_current(parent, name, fd)) {
        remove_files(fd);
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
            qk__log_write(log, QK_LOG_DEBUG, "removed %s, left by a process that died", name);
    }
    close(fd);
}

static void sweep(int parent, const qk__log *log)
{
    DIR *entries = list(parent);
    struct dirent *entry;
    if (!entries)
        return;
    while ((entry = readdir(entries))) {
        if (has_our_form(entry->d_name))
            sweep_one(parent, entry->d_name, log);
    }
    closedir(entries);
}

/* The descriptor with the lock; -1 with errno. EAGAIN: it was taken for dead. */
static int make_one(int parent, char name[NAME_SIZE])
{
    char id[QK_ID_TEXT_SIZE];
    snprintf(name, NAME_SIZE, PREFIX "%s" SUFFIX, qk_id_format(id, qk_id_new()));
    if (mkdirat(parent, name, 0700) != 0)
        return -1;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        errno = errno == ENOENT ? EAGAIN : errno;
        return -1;
    }
    if (fchmod(fd, 0700) == 0 && try_lock(fd) && is_current(parent, name, fd))
        return fd;
    close(fd);
    errno = EAGAIN;
    return -1;
}

static qk_status make_own(qk__spill *out, const char *temp, const qk__log *log, qk_error *err)
{
    char name[NAME_SIZE];
    int parent = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return qk__error_errno(err, QK_EIO, errno, "temp folder %s", temp);
    sweep(parent, log);
    for (int tries = 0; out->fd < 0 && tries < MAX_TRIES; tries++) {
        out->fd = make_one(parent, name);
        if (out->fd < 0 && errno != EAGAIN && errno != EEXIST)
            break;
    }
    qk_status rc = QK_OK;
    if (out->fd < 0) {
        rc = qk__error_errno(err, QK_EIO, errno, "cannot make a spill folder in %s", temp);
    } else if (snprintf(out->path, sizeof(out->path), "%s/%s", temp, name) >=
               (int)sizeof(out->path)) {
        (void)unlinkat(parent, name, AT_REMOVEDIR);
        rc = qk__error(err, QK_EINVAL, "the path is too long");
    }
    close(parent);
    return rc;
}

qk_status qk__spill_open(qk__spill *out, const qk__store_config *config, qk_error *err)
{
    const char *temp = config->temp_dir;
    qk_status rc = QK_OK;
    *out = (qk__spill){ .fd = -1 };
    if (strcmp(config->path, ":memory:") == 0 || (temp && *temp)) {
        if (!temp || !*temp)
            temp = getenv("TMPDIR");
        rc = make_own(out, temp && *temp ? temp : "/tmp", &config->log, err);
    } else if (snprintf(out->path, sizeof(out->path), "%s" SUFFIX, config->path) >=
               (int)sizeof(out->path)) {
        rc = qk__error(err, QK_EINVAL, "the path is too long");
    }
    if (rc) {
        if (out->fd >= 0)
            close(out->fd);
        *out = (qk__spill){ .fd = -1 };
    }
    return rc;
}

qk_status qk__spill_make(const qk__spill *spill, qk_error *err)
{
    if (mkdir(spill->path, 0700) != 0 && errno != EEXIST)
        return qk__error_errno(err, QK_EIO, errno, "cannot make the spill folder %s", spill->path);
    return QK_OK;
}

void qk__spill_close(qk__spill *spill)
{
    if (spill->path[0])
        (void)rmdir(spill->path); /* stays if something else lives in it */
    if (spill->fd >= 0)
        close(spill->fd);
    *spill = (qk__spill){ .fd = -1 };
}
