/*
 * Reading output of commands, running or kept; see queuack/worker.h. Files are written by workers of
 * the same user, and still nothing in them is trusted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/logs.h"

#include <queuack/worker.h>

struct qk_job_log {
    int fd;
    int32_t attempt;
};

/* ID-ATTEMPT.log */
static bool parse_name(const char *name, qk_id *job, int32_t *attempt)
{
    char id[QK_ID_TEXT_SIZE];
    char *end;

    if (strlen(name) < QK_ID_TEXT_SIZE + 1)
        return false;
    memcpy(id, name, QK_ID_TEXT_SIZE - 1);
    id[QK_ID_TEXT_SIZE - 1] = '\0';
    if (name[QK_ID_TEXT_SIZE - 1] != '-' || qk_id_parse(job, id) != QK_OK)
        return false;
    errno = 0;
    long number = strtol(name + QK_ID_TEXT_SIZE, &end, 10);
    *attempt = (int32_t)number;
    return errno == 0 && number > 0 && number <= INT32_MAX && strcmp(end, ".log") == 0;
}

typedef struct search {
    const qk_id *job; /* NULL: any that fits the suffix */
    const char *suffix; /* NULL: any */
    qk_id found;
    int32_t attempt; /* 0: nothing found */
    struct timespec changed;
} search;

static bool has_suffix(qk_id id, const char *suffix)
{
    char text[QK_ID_TEXT_SIZE], digits[QK_ID_TEXT_SIZE];
    size_t count = 0, length = suffix ? strlen(suffix) : 0;

    qk_id_format(text, id);
    for (const char *at = text; *at; at++) {
        if (*at != '-')
            digits[count++] = *at;
    }
    digits[count] = '\0';
    return length <= count && (length == 0 || strcasecmp(digits + count - length, suffix) == 0);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void consider(search *search, int dir, const char *name)
{
    qk_id id;
    int32_t attempt;
    struct stat status;

    if (!parse_name(name, &id, &attempt))
        return;
    if (search->job) {
        if (qk_id_compare(id, *search->job) == 0 && attempt > search->attempt)
            search->attempt = attempt;
        return;
    }
    if (!has_suffix(id, search->suffix) || fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    if (search->attempt == 0 || is_later(&status.st_mtim, &search->changed)) {
        search->found = id;
        search->attempt = attempt;
        search->changed = status.st_mtim;
    }
}

static void look_through(search *search, int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;

    if (!folder && copy >= 0)
        close(copy);
    while (folder && (entry = readdir(folder)) != NULL)
        consider(search, dir, entry->d_name);
    if (folder)
        closedir(folder);
}

static qk_status nothing_kept(qk_error *err)
{
    return qk__error(err, QK_ENOTFOUND, "there is no output beside the store for this job");
}

/* The folder, or why there is none. */
static qk_status open_dir(int *dir, const char *store, qk_error *err)
{
    *dir = qk__logs_dir(store, false);
    if (*dir >= 0)
        return QK_OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return nothing_kept(err);
    return qk__error_errno(err, QK_EIO, errno, "cannot look into %s.logs", store);
}

static qk_status open_file(qk_job_log **out, int dir, qk_id job, int32_t attempt, qk_error *err)
{
    char name[QK__LOG_NAME_SIZE];

    qk__log_name(name, job, attempt);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return nothing_kept(err);
    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot open the output %s", name);
    qk_job_log *log = calloc(1, sizeof(*log));
    if (!log) {
        close(fd);
        return qk__error(err, QK_ENOMEM, "out of memory for an output");
    }
    log->fd = fd;
    log->attempt = attempt;
    *out = log;
    return QK_OK;
}

qk_status qk_job_log_open(qk_job_log **out, const char *store, qk_id job, int32_t attempt,
                          qk_error *err)
{
    search search = { .job = &job, .attempt = attempt };
    int dir;

    if (!out || !store || attempt < 0)
        return qk__error(err, QK_EINVAL, "out and store must not be NULL, attempt not negative");
    qk_status rc = open_dir(&dir, store, err);
    if (rc != QK_OK)
        return rc;
    if (attempt == 0)
        look_through(&search, dir);
    rc = search.attempt ? open_file(out, dir, job, search.attempt, err) : nothing_kept(err);
    close(dir);
    return rc;
}

qk_status qk_job_log_find(qk_id *out, const char *store, const char *id_suffix, qk_error *err)
{
    search search = { .suffix = id_suffix };
    int dir;

    if (!out || !store)
        return qk__error(err, QK_EINVAL, "out and store must not be NULL");
    qk_status rc = open_dir(&dir, store, err);
    if (rc != QK_OK)
        return rc;
    look_through(&search, dir);
    close(dir);
    if (search.attempt == 0)
        return nothing_kept(err);
    *out = search.found;
    return QK_OK;
}

static qk_status read_head(qk__log_head *head, const qk_job_log *log, qk_error *err)
{
    ssize_t got = pread(log->fd, head, sizeof(*head), 0);

    if (got == (ssize_t)sizeof(*head) &&
        memcmp(head->magic, QK__LOG_MAGIC, sizeof(head->magic)) == 0)
        return QK_OK;
    if (got < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot read an output");
    return qk__error(err, QK_EDAMAGED, "this is not the output of a command: remove the file");
}

/* The first byte at or after `at` that is still there, given that writing goes up to `writing`. */
static uint64_t still_there(uint64_t at, uint64_t writing)
{
    if (at < QK__STREAM_HALF || writing <= 2 * QK__STREAM_HALF || at >= writing - QK__STREAM_HALF)
        return at;
    return writing - QK__STREAM_HALF;
}

qk_status qk_job_log_read(size_t *length, char *buffer, size_t size, uint64_t *offset,
                          uint64_t *skipped, qk_job_log *log, qk_log_stream stream, qk_error *err)
{
    qk__log_head head;
    uint64_t from = *offset;
    qk_status rc = QK_OK;

    *length = 0;
    for (int round = 0; rc == QK_OK && *length == 0 && round < 100; round++) {
        rc = read_head(&head, log, err);
        if (rc != QK_OK)
            break;
        size_t run;
        uint64_t total = head.total[stream], at = still_there(from, head.writing[stream]);
        if (at >= total)
            break;
        off_t place = qk__log_place((int)stream, at, &run);
        size_t some = total - at < run ? (size_t)(total - at) : run;
        ssize_t got = pread(log->fd, buffer, some < size ? some : size, place);
        if (got < 0)
            rc = qk__error_errno(err, QK_EIO, errno, "cannot read an output");
        else
            rc = read_head(&head, log, err);
        if (rc != QK_OK || got == 0)
            break;
        if (still_there(at, head.writing[stream]) != at)
            continue; /* overwritten while it was read */
        *length = (size_t)got;
        *offset = at + (uint64_t)got;
        if (skipped)
            *skipped = at - from;
    }
    if (*length == 0 && skipped)
        *skipped = 0;
    return rc;
}

int32_t qk_job_log_attempt(const qk_job_log *log)
{
    return log->attempt;
}

bool qk_job_log_ended(const qk_job_log *log)
{
    qk__log_head head;

    return read_head(&head, log, NULL) != QK_OK || head.ended || !qk__log_is_live(log->fd);
}

void qk_job_log_close(qk_job_log *log)
{
    if (!log)
        return;
    close(log->fd);
    free(log);
}
