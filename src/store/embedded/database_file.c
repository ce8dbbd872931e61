/*
 * The file before it is opened; see database_file.h. Runs on the opening thread; no state.
 *
 * DuckDB itself refuses a file without its magic, but says "not a valid database file" of all of
 * them alike. What it would not notice in the log is looked for in database_log.c.
 */
#include "store/embedded/database_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/embedded/database_log.h"
#include "util/error.h"

#define HEADERS_SIZE 12288 /* three header blocks before the first data block */
#define BLOCK_SIZE 262144

static qk_status check_folder(const char *path, qk_error *err)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
        return qk__error(err, QK_EINVAL, "the path is too long");
    const char *folder = dirname(copy);
    if (access(folder, W_OK | X_OK) == 0)
        return QK_OK;
    return qk__error_errno(err, QK_EIO, errno, "cannot write in the folder %s", folder);
}

static qk_status check_absent(const char *path, bool must_exist, qk_error *err)
{
    qk_status rc = qk__database_log_check(path, false, err);
    if (rc)
        return rc;
    if (must_exist)
        return qk__error(err, QK_ENOTFOUND, "there is no file %s: check the path", path);
    return check_folder(path, err);
}

static qk_status check_magic(int fd, const char *path, off_t size, qk_error *err)
{
    unsigned char head[16] = { 0 };
    ssize_t got = pread(fd, head, sizeof(head), 0);
    if (got < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot read %s", path);
    if (got == (ssize_t)sizeof(head) && memcmp(head + 8, "DUCK", 4) == 0) {
        if (size < HEADERS_SIZE)
            return qk__error(err, QK_EDAMAGED,
                             "%s is damaged: it ends within its header; restore it from a backup",
                             path);
        return QK_OK;
    }
    if (memcmp(head, "SQLite format 3", 15) == 0)
        return qk__error(err, QK_EREFUSED, "%s is an SQLite file: name another file", path);
    if (size >= HEADERS_SIZE && (size - HEADERS_SIZE) % BLOCK_SIZE == 0)
        return qk__error(err, QK_EDAMAGED,
                         "%s is damaged: its header is not DuckDB's; restore it from a backup",
                         path);
    return qk__error(err, QK_EREFUSED, "%s is not a DuckDB file: name another file", path);
}

static qk_status check_content(const char *path, off_t size, qk_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot read %s", path);
    qk_status rc = check_magic(fd, path, size, err);
    close(fd);
    if (!rc && access(path, W_OK) != 0)
        rc = qk__error_errno(err, QK_EIO, errno, "cannot write %s", path);
    if (!rc)
        rc = check_folder(path, err);
    return rc ? rc : qk__database_log_check(path, true, err);
}

/* Left by a crash within its creation, or by mktemp. DuckDB does not open such a file. */
static qk_status replace_empty(const char *path, qk_error *err)
{
    qk_status rc = qk__database_log_check(path, false, err);
    if (!rc && unlink(path) != 0)
        rc = qk__error_errno(err, QK_EIO, errno, "cannot replace the empty file %s", path);
    return rc;
}

qk_status qk__database_file_check(bool *exists, const char *path, bool must_exist, qk_error *err)
{
    struct stat info;
    *exists = false;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT)
            return check_absent(path, must_exist, err);
        return qk__error_errno(err, QK_EIO, errno, "cannot open %s", path);
    }
    if (!S_ISREG(info.st_mode))
        return qk__error(err, QK_EREFUSED, "%s is not a file: name another one", path);
    /* Lock and log go by name: under another one the same file would be opened twice, or without
     * the commits in its log. */
    if (info.st_nlink > 1)
        return qk__error(
            err, QK_EREFUSED,
            "%s is the same file as another name (a hard link): remove one of them, or "
            "make a copy",
            path);
    if (info.st_size == 0)
        return replace_empty(path, err);
    *exists = true;
    return check_content(path, info.st_size, err);
}
