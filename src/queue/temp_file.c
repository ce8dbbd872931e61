/*
 * Files of auto-migrated stores; see temp_file.h.
 *
 * A file is alive while somebody holds the lock on `<file>.lock`, which the store takes when it
 * opens. The process id in the name only makes it readable: ids are reused, and mean nothing across
 * containers that share a folder.
 *
 * Between making a file and locking it, and while it is removed, it looks dead. A guard file per
 * user and folder closes that gap: makers and removers hold a shared lock on it, a sweeper an
 * exclusive one, and without it nobody sweeps. Locks are OFD locks, which a stray close elsewhere
 * in the process does not drop.
 *
 * Invariants: 1. names are created with O_EXCL and never opened through a link; 2. only regular
 * files of our own with a single name are removed; 3. the database's name goes last, so that nobody
 * makes the same name anew while its companions are being removed.
 * Any thread.
 */
#include "queue/temp_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define PREFIX "auto_migrated_"
#define SUFFIX ".duckqueue.db"
#define MAX_TRIES 100000

static atomic_uint next_number = 1;

/* Besides the database itself; the lock goes after what it protects. */
static const char *const companions[] = { ".wal", ".wal.checkpoint", ".wal.recovery", ".lock" };

static bool lock(int fd, short type, bool wait)
{
    struct flock region = { .l_type = type, .l_whence = SEEK_SET };
    int rc;
    do
        rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &region);
    while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static bool ours(const struct stat *info)
{
    return S_ISREG(info->st_mode) && info->st_uid == geteuid() && info->st_nlink == 1;
}

static void guard_name(char out[64])
{
    snprintf(out, 64, ".queuack-%lu.guard", (unsigned long)geteuid());
}

/* True if the name still stands for this descriptor: whoever removes the guard holds it alone. */
static bool is_current(int folder, int fd)
{
    char name[64];
    struct stat mine, there;
    guard_name(name);
    return fstat(fd, &mine) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* The guard with a shared lock; -1 when another user sits on the name: then none of our processes
 * sweeps either. */
static int take_guard(int folder)
{
    char name[64];
    struct stat info;
    guard_name(name);
    for (;;) {
        int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
        if (fd < 0)
            return -1;
        bool good = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
                    lock(fd, F_RDLCK, true);
        if (good && is_current(folder, fd))
            return fd;
        close(fd);
        if (!good)
            return -1;
    }
}

/* Without others at work the guard itself goes too. */
static void remove_guard(int folder, int fd)
{
    char name[64];
    guard_name(name);
    if (lock(fd, F_WRLCK, false) && is_current(folder, fd))
        (void)unlinkat(folder, name, 0);
}

static void remove_ours(int folder, const char *base, const char *suffix)
{
    char name[NAME_MAX + 1];
    struct stat info;
    if (snprintf(name, sizeof(name), "%s%s", base, suffix) >= (int)sizeof(name))
        return;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && ours(&info))
        (void)unlinkat(folder, name, 0);
}

static void remove_all(int folder, const char *base)
{
    char spill[NAME_MAX + 1];
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++)
        remove_ours(folder, base, companions[i]);
    if (snprintf(spill, sizeof(spill), "%s.tmp", base) < (int)sizeof(spill))
        (void)unlinkat(folder, spill, AT_REMOVEDIR); /* the spill folder; left if in use */
    remove_ours(folder, base, "");
}

static size_t digits(const char *text)
{
    size_t count = 0;
    while (isdigit((unsigned char)text[count]))
        count++;
    return count;
}

/* Length of the database's name that `name` is or starts with; 0 if it is none of these. */
static size_t base_length(const char *name)
{
    size_t at = strlen(PREFIX);
    if (strncmp(name, PREFIX, at) != 0)
        return 0;
    size_t pid = digits(name + at);
    at += pid;
    if (pid == 0 || name[at] != '_')
        return 0;
    size_t number = digits(name + ++at);
    at += number;
    if (number == 0 || strncmp(name + at, SUFFIX, strlen(SUFFIX)) != 0)
        return 0;
    at += strlen(SUFFIX);
    if (name[at] == '\0')
        return at;
    for (size_t i = 0; i < sizeof(companions) / sizeof(companions[0]); i++) {
        if (strcmp(name + at, companions[i]) == 0)
            return at;
    }
    return 0;
}

/* Removes one file with its companions unless its lock is held. */
static bool sweep_one(int folder, const char *base)
{
    char name[NAME_MAX + 1];
    struct stat info;

    if (snprintf(name, sizeof(name), "%s.lock", base) >= (int)sizeof(name))
        return false;
    int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT)
        return false; /* another user's, or a link */
    bool dead = fd < 0 || (fstat(fd, &info) == 0 && ours(&info) && lock(fd, F_WRLCK, false));
    if (dead)
        remove_all(folder, base);
    if (fd >= 0)
        close(fd);
    return dead;
}

/* With the guard held exclusively. */
static void sweep(int folder, const qk__log *log)
{
    int listing = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = listing >= 0 ? fdopendir(listing) : NULL;
    struct dirent *entry;

    if (!entries) {
        if (listing >= 0)
            close(listing);
        return;
    }
    while ((entry = readdir(entries))) {
        char base[NAME_MAX + 1];
        struct stat info;
        size_t length = base_length(entry->d_name);
        if (length == 0 || fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !ours(&info))
            continue;
        memcpy(base, entry->d_name, length);
        base[length] = '\0';
        if (sweep_one(folder, base))
            qk__log_event(log, QK_LOG_DEBUG, "temp_file.removed",
                          QK__FIELDS(qk__log_text("file", base)),
                          "removed %s, left by a process that died", base);
    }
    closedir(entries);
}

static qk_status make_file(qk__temp_file *file, int folder, qk_error *err)
{
    char name[NAME_MAX + 1];
    struct stat info;
    int fd = -1;

    for (int tries = 0; fd < 0 && tries < MAX_TRIES; tries++) {
        unsigned number = atomic_fetch_add(&next_number, 1);
        snprintf(name, sizeof(name), PREFIX "%ld_%u" SUFFIX, (long)getpid(), number);
        fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "making a file in %s", file->folder);
    (void)fstat(fd, &info); /* of an open descriptor: cannot fail */
    close(fd); /* before the store opens it: a later close would drop DuckDB's lock */
    size_t size = strlen(file->folder) + strlen(name) + 2;
    file->path = malloc(size);
    if (!file->path) {
        (void)unlinkat(folder, name, 0);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    snprintf(file->path, size, "%s/%s", file->folder, name);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return QK_OK;
}

static void drop_guard(qk__temp_file *file)
{
    if (file->guard >= 0)
        close(file->guard);
    file->guard = -1;
}

qk_status qk__temp_file_make(qk__temp_file *out, const char *path, const qk__log *log,
                             qk_error *err)
{
    qk_status rc;
    qk__temp_file file = { .guard = -1 };
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return qk__error_errno(err, QK_EIO, errno, "temp folder %s", path);
    file.folder = strdup(path);
    if (!file.folder) {
        rc = qk__error(err, QK_ENOMEM, "out of memory");
        goto out;
    }
    file.guard = take_guard(folder);
    if (file.guard >= 0 && lock(file.guard, F_WRLCK, false)) {
        sweep(folder, log);
        (void)lock(file.guard, F_RDLCK, true);
    }
    rc = make_file(&file, folder, err);
out:
    close(folder);
    if (rc) {
        drop_guard(&file);
        free(file.folder);
        return rc;
    }
    *out = file;
    return QK_OK;
}

qk_status qk__temp_file_opened(qk__temp_file *file, qk_error *err)
{
    struct stat info;

    drop_guard(file);
    if (!file->path)
        return QK_OK;
    if (lstat(file->path, &info) != 0)
        return qk__error_errno(err, QK_EIO, errno, "%s", file->path);
    if (!ours(&info) || (info.st_mode & 077) != 0)
        return qk__error(err, QK_EREFUSED, "%s: somebody meddled with it while it was made",
                         file->path);
    file->device = info.st_dev;
    file->inode = info.st_ino;
    return QK_OK;
}

void qk__temp_file_remove(qk__temp_file *file)
{
    struct stat info;
    int folder = file->path ? open(file->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (folder >= 0) {
        const char *base = strrchr(file->path, '/') + 1;
        if (file->guard < 0)
            file->guard = take_guard(folder);
        if (fstatat(folder, base, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_dev == file->device &&
            info.st_ino == file->inode)
            remove_all(folder, base);
        if (file->guard >= 0)
            remove_guard(folder, file->guard);
        close(folder);
    }
    drop_guard(file);
    free(file->path);
    free(file->folder);
    file->path = file->folder = NULL;
}
