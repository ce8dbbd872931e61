/*
 * The file that a copy goes to; see copy.h. copy_table.c moves the rows.
 */
#include "store/embedded/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/embedded/database.h"
#include "store/embedded/lock.h"
#include "util/error.h"

static bool same_file(const char *a, const char *b)
{
    struct stat x;
    struct stat y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A log beside it would be replayed into the new file. */
static qk_status refuse_log(const char *path, qk_error *err)
{
    static const char *const endings[] = { ".wal", ".wal.checkpoint", ".wal.recovery" };
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (snprintf(name, sizeof name, "%s%s", path, endings[i]) >= (int)sizeof name) {
            return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
        }
        if (access(name, F_OK) == 0) {
            return qk__error(err, QK_EREFUSED,
                             "%s is the log of a store that was not closed: open that store once, "
                             "or name another file",
                             name);
        }
    }
    return QK_OK;
}

static qk_status refuse_used(const char *path, qk_error *err)
{
    qk__file_lock lock = { -1 };
    char name[PATH_MAX + 8];
    snprintf(name, sizeof name, "%s.lock", path);
    if (access(name, F_OK) != 0) {
        return QK_OK;
    }
    qk_status rc = qk__file_lock_take(&lock, path, 0, err);
    qk__file_lock_release(&lock);
    return rc;
}

qk_status qk__copy_allowed(const char *path, bool overwrite, const char *not_over, qk_error *err)
{
    struct stat info;
    if (strlen(path) >= PATH_MAX) {
        return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    if (not_over != NULL && same_file(path, not_over)) {
        return qk__error(err, QK_EREFUSED, "%s is the store itself: name another file", path);
    }
    bool exists = lstat(path, &info) == 0;
    if (exists && !overwrite) {
        return qk__error(err, QK_ECONFLICT,
                         "%s exists: name another file, or say that it may be replaced", path);
    }
    if (exists && !S_ISREG(info.st_mode)) {
        return qk__error(err, QK_EREFUSED, "%s is not a file: name another one", path);
    }
    qk_status rc = refuse_used(path, err);
    return rc == QK_OK ? refuse_log(path, err) : rc;
}

/* Names are made so that nobody else has them: DuckDB would open what is there. */
static qk_status name_part(qk__copy *copy, qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    int length = snprintf(copy->part, sizeof copy->part, "%s.part-%s", copy->path,
                          qk_id_format(id, qk_id_new()) + 24);
    if (length < 0 || (size_t)length + 32 >= sizeof copy->part) {
        return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
    }
    return access(copy->part, F_OK) == 0
               ? qk__error(err, QK_EIO, "%s exists: try again", copy->part)
               : QK_OK;
}

qk_status qk__copy_begin(qk__copy *copy, const char *path, bool overwrite, const char *not_over,
                         const qk__store_config *config, qk_error *err)
{
    qk__store_config own = *config;
    memset(copy, 0, sizeof *copy);
    copy->overwrite = overwrite;
    qk_status rc = qk__copy_allowed(path, overwrite, not_over, err);
    if (rc == QK_OK) {
        strcpy(copy->path, path);
        rc = name_part(copy, err);
    }
    if (rc != QK_OK) {
        copy->part[0] = '\0'; /* not ours to remove */
        return rc;
    }
    own.path = copy->part;
    own.must_exist = false;
    own.temp_dir = NULL; /* spills beside the file */
    rc = qk__database_open(&copy->database, &own, err);
    if (rc == QK_OK && duckdb_connect(copy->database, &copy->connection) != DuckDBSuccess) {
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    if (rc != QK_OK) {
        qk__copy_drop(copy);
    }
    return rc;
}

static qk_status sync_path(const char *path, int flags, qk_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0 || fsync(fd) != 0) {
        qk_status rc = qk__error_errno(err, QK_EIO, errno, "cannot write %s", path);
        if (fd >= 0) {
            close(fd);
        }
        return rc;
    }
    close(fd);
    return QK_OK;
}

/* Without overwrite a file that appeared meanwhile is not replaced: link fails where rename would. */
static qk_status give_name(qk__copy *copy, qk_error *err)
{
    int failed = copy->overwrite ? rename(copy->part, copy->path) : link(copy->part, copy->path);
    if (failed != 0 && errno == EEXIST) {
        return qk__error(err, QK_ECONFLICT, "%s exists: name another file", copy->path);
    }
    if (failed != 0 && !copy->overwrite && (errno == EPERM || errno == EOPNOTSUPP)) {
        failed = rename(copy->part, copy->path); /* a file system without links */
    } else if (failed == 0 && !copy->overwrite) {
        unlink(copy->part);
    }
    return failed == 0 ? QK_OK : qk__error_errno(err, QK_EIO, errno, "cannot write %s", copy->path);
}

static void close_copy(qk__copy *copy)
{
    if (copy->connection != NULL) {
        duckdb_disconnect(&copy->connection);
    }
    qk__database_close(&copy->database);
}

qk_status qk__copy_publish(qk__copy *copy, qk_error *err)
{
    char folder[PATH_MAX];
    char log[PATH_MAX + 8];
    qk_status rc = qk__database_run(copy->connection, "CHECKPOINT", err);
    close_copy(copy);
    snprintf(log, sizeof log, "%s.wal", copy->part);
    if (rc == QK_OK && access(log, F_OK) == 0) {
        rc = qk__error(err, QK_EIO, "the copy could not be completed: try again");
    }
    if (rc == QK_OK) {
        rc = sync_path(copy->part, 0, err);
    }
    if (rc == QK_OK) {
        rc = give_name(copy, err);
    }
    if (rc == QK_OK) {
        copy->part[0] = '\0';
        strcpy(folder, copy->path);
        rc = sync_path(dirname(folder), O_DIRECTORY, err);
    }
    qk__copy_drop(copy);
    return rc;
}

void qk__copy_drop(qk__copy *copy)
{
    char log[PATH_MAX + 8];
    close_copy(copy);
    if (copy->part[0] == '\0') {
        return;
    }
    unlink(copy->part);
    snprintf(log, sizeof log, "%s.wal", copy->part);
    unlink(log);
    copy->part[0] = '\0';
}
