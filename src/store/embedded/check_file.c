/*
 * The file from outside, and its copy; see check.h.
 */
#include "store/embedded/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/error.h"

#define BLOCK (1 << 20)

/* What DuckDB may keep beside its file. */
static const char *const endings[] = { "", ".wal", ".wal.checkpoint", ".wal.recovery" };
#define ENDINGS (sizeof endings / sizeof *endings)

void qk__check_found(qk__check *check, qk_finding finding, const char *part, const char *format,
                     ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->damages += finding == QK_FINDING_DAMAGE;
    if (check->options->found != NULL) {
        check->options->found(check->options->found_user, finding, part, text);
    }
}

static bool beside(char out[PATH_MAX + 16], const char *path, const char *ending)
{
    return snprintf(out, PATH_MAX + 16, "%s%s", path, ending) < PATH_MAX + 16;
}

/* Who has it. The lock file is opened, never made. *fd keeps the lock, -1 if there is none. */
static qk_status take_lock(qk__check *check, int *fd)
{
    char name[PATH_MAX + 16];
    char pid[32] = "";
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    *fd = -1;
    if (!beside(name, check->path, ".lock")) {
        return qk__error(check->err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    *fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0 && errno != ENOENT) {
        qk__check_found(check, QK_FINDING_NOTE, "lock", "%s cannot be opened: %s", name,
                        strerror(errno));
        return QK_OK;
    }
    if (*fd < 0) {
        qk__check_found(check, QK_FINDING_NOTE, "lock",
                        "there is no lock file: nobody has it open");
        return QK_OK;
    }
    if (fcntl(*fd, F_OFD_SETLK, &range) == 0) {
        qk__check_found(check, QK_FINDING_GOOD, "lock", "nobody has it open");
        return QK_OK;
    }
    if (pread(*fd, pid, sizeof pid - 1, 0) < 0) {
        pid[0] = '\0';
    }
    long owner = strtol(pid, NULL, 10);
    qk__check_found(check, QK_FINDING_GOOD, "lock", "process %ld has it open", owner);
    return qk__error(check->err, QK_EBUSY,
                     "%s is in use by process %ld: end that, or check a backup of it", check->path,
                     owner);
}

static qk_status look_at_file(qk__check *check)
{
    struct stat info;
    char head[12] = "";
    int fd = open(check->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return qk__error(check->err, QK_ENOTFOUND, "there is no file %s: check the path",
                         check->path);
    }
    if (fd < 0 || fstat(fd, &info) != 0) {
        qk_status rc = qk__error_errno(check->err, QK_EIO, errno, "cannot read %s", check->path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    ssize_t got = S_ISREG(info.st_mode) ? pread(fd, head, sizeof head, 0) : 0;
    close(fd);
    if (!S_ISREG(info.st_mode)) {
        return qk__error(check->err, QK_EREFUSED, "%s is not a file: name another one",
                         check->path);
    }
    if (info.st_size == 0) {
        qk__check_found(check, QK_FINDING_DAMAGE, "file", "it is empty: nothing can be saved");
        return qk__error(check->err, QK_EDAMAGED, "%s is empty: restore it from a backup",
                         check->path);
    }
    if (got == (ssize_t)sizeof head && memcmp(head + 8, "DUCK", 4) == 0) {
        qk__check_found(check, QK_FINDING_GOOD, "file", "a DuckDB file of %lld bytes",
                        (long long)info.st_size);
    } else {
        qk__check_found(check, QK_FINDING_DAMAGE, "file",
                        "its first block is not that of a DuckDB "
                        "file");
    }
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        qk__check_found(check, QK_FINDING_NOTE, "file", "others may read or write it (mode %03o)",
                        (unsigned)info.st_mode & 0777u);
    }
    return QK_OK;
}

static void look_at_log(qk__check *check)
{
    struct stat info;
    char name[PATH_MAX + 16];
    if (!beside(name, check->path, ".wal") || stat(name, &info) != 0) {
        qk__check_found(check, QK_FINDING_GOOD, "log", "there is none: it was closed cleanly");
        return;
    }
    check->has_log = true;
    qk__check_found(check, QK_FINDING_NOTE, "log",
                    "%lld bytes have not been folded into the file: it was not closed cleanly",
                    (long long)info.st_size);
}

static qk_status copy_bytes(qk__check *check, int from, int to, const char *name)
{
    char *block = malloc(BLOCK);
    qk_status rc = block == NULL ? qk__error(check->err, QK_ENOMEM, "out of memory") : QK_OK;
    ssize_t got = 0;
    while (rc == QK_OK && (got = read(from, block, BLOCK)) != 0) {
        ssize_t done = 0;
        while (got > 0 && done < got) {
            ssize_t written = write(to, block + done, (size_t)(got - done));
            if (written < 0 && errno != EINTR) {
                break;
            }
            done += written > 0 ? written : 0;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            rc = qk__error_errno(check->err, QK_EIO, errno, "cannot read %s", name);
        } else if (done < got) {
            rc = qk__error_errno(check->err, QK_EIO, errno, "cannot copy %s to %s", name,
                                 check->folder);
        }
    }
    free(block);
    return rc;
}

static qk_status copy_one(qk__check *check, const char *ending)
{
    char from_name[PATH_MAX + 16];
    char to_name[PATH_MAX + 64];
    if (!beside(from_name, check->path, ending)) {
        return qk__error(check->err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    snprintf(to_name, sizeof to_name, "%s%s", check->copy, ending);
    int from = open(from_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0) {
        return errno == ENOENT && *ending != '\0'
                   ? QK_OK
                   : qk__error_errno(check->err, QK_EIO, errno, "cannot read %s", from_name);
    }
    int to = open(to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    qk_status rc = to < 0 ? qk__error_errno(check->err, QK_EIO, errno, "cannot write %s", to_name)
                          : copy_bytes(check, from, to, from_name);
    close(from);
    if (to >= 0) {
        close(to);
    }
    return rc;
}

/* Said before half of it was copied. */
static qk_status check_room(qk__check *check)
{
    struct statvfs room;
    struct stat info;
    uint64_t needed = 0;
    char name[PATH_MAX + 16];
    for (size_t i = 0; i < ENDINGS; i++) {
        if (beside(name, check->path, endings[i]) && stat(name, &info) == 0) {
            needed += (uint64_t)info.st_size;
        }
    }
    if (statvfs(check->options->temp_dir, &room) == 0 &&
        (uint64_t)room.f_bavail * room.f_frsize < needed) {
        return qk__error(check->err, QK_EFULL,
                         "%s has no room for a copy of %llu bytes: name another folder in $TMPDIR",
                         check->options->temp_dir, (unsigned long long)needed);
    }
    return QK_OK;
}

static qk_status make_copy(qk__check *check)
{
    qk_status rc = check_room(check);
    if (rc != QK_OK) {
        return rc;
    }
    if (snprintf(check->folder, sizeof check->folder, "%s/queuack-check-XXXXXX",
                 check->options->temp_dir) >= (int)sizeof check->folder - 32 ||
        mkdtemp(check->folder) == NULL) {
        check->folder[0] = '\0';
        return qk__error_errno(check->err, QK_EIO, errno, "cannot make a folder in %s",
                               check->options->temp_dir);
    }
    snprintf(check->copy, sizeof check->copy, "%s/copy.db", check->folder);
    for (size_t i = 0; rc == QK_OK && i < ENDINGS; i++) {
        rc = copy_one(check, endings[i]);
    }
    return rc;
}

qk_status qk__check_file(qk__check *check)
{
    int lock = -1;
    qk_status rc = look_at_file(check);
    if (rc == QK_OK) {
        rc = take_lock(check, &lock);
    }
    if (rc == QK_OK) {
        look_at_log(check);
        rc = make_copy(check);
    }
    if (lock >= 0) {
        close(lock);
    }
    return rc;
}

void qk__check_remove_log(qk__check *check)
{
    char name[PATH_MAX + 64];
    for (size_t i = 1; i < ENDINGS; i++) {
        snprintf(name, sizeof name, "%s%s", check->copy, endings[i]);
        unlink(name);
    }
}

void qk__check_remove_copy(qk__check *check)
{
    char name[PATH_MAX + 64];
    if (check->folder[0] == '\0') {
        return;
    }
    qk__check_remove_log(check);
    unlink(check->copy);
    snprintf(name, sizeof name, "%s.lock", check->copy);
    unlink(name);
    snprintf(name, sizeof name, "%s.tmp", check->copy);
    rmdir(name);
    rmdir(check->folder);
    check->folder[0] = '\0';
}
