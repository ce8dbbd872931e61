/*
 * Output files beside a store; see logs.h. A qk__log_file belongs to one thread.
 */
#include "worker/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int qk__logs_dir(const char *store, bool make)
{
    char *path = NULL;
    struct stat status;

    if (asprintf(&path, "%s.logs", store) < 0) {
        errno = ENOMEM;
        return -1;
    }
    if (make)
        (void)mkdir(path, 0700); /* the open says what is wrong */
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    free(path);
    if (dir < 0)
        return -1;
    if (fstat(dir, &status) != 0 || status.st_uid != geteuid() || (status.st_mode & 0022)) {
        close(dir);
        errno = EPERM;
        return -1;
    }
    return dir;
}

void qk__log_name(char out[QK__LOG_NAME_SIZE], qk_id job, int32_t attempt)
{
    char id[QK_ID_TEXT_SIZE];

    snprintf(out, QK__LOG_NAME_SIZE, "%s-%d.log", qk_id_format(id, job), (int)attempt);
}

void qk__log_file_init(qk__log_file *file, int dir, qk_id job, int32_t attempt)
{
    memset(file, 0, sizeof(*file));
    file->dir = dir;
    file->fd = -1;
    file->broken = dir < 0;
    qk__log_name(file->name, job, attempt);
    memcpy(file->head.magic, QK__LOG_MAGIC, sizeof(file->head.magic));
}

bool qk__log_is_live(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool write_at(qk__log_file *file, const void *data, size_t length, off_t at)
{
    for (size_t done = 0; done < length;) {
        ssize_t some = pwrite(file->fd, (const char *)data + done, length - done, at + (off_t)done);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return false;
        done += (size_t)some;
    }
    return true;
}

static bool write_head(qk__log_file *file)
{
    return write_at(file, &file->head, sizeof(file->head), 0);
}

static bool make(qk__log_file *file)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    /* A file of that name can only be left over from an attempt whose claim was forgotten. */
    unlinkat(file->dir, file->name, 0);
    file->fd =
        openat(file->dir, file->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file->fd >= 0 && fcntl(file->fd, F_OFD_SETLK, &lock) == 0 && write_head(file);
}

off_t qk__log_place(int stream, uint64_t at, size_t *run)
{
    off_t base = QK__LOG_DATA + (off_t)stream * 2 * (off_t)QK__STREAM_HALF;

    if (at < QK__STREAM_HALF) {
        *run = QK__STREAM_HALF - (size_t)at;
        return base + (off_t)at;
    }
    size_t in_ring = (size_t)((at - QK__STREAM_HALF) % QK__STREAM_HALF);
    *run = QK__STREAM_HALF - in_ring;
    return base + (off_t)(QK__STREAM_HALF + in_ring);
}

/* Bytes of the stream from `at` on, which head or tail still have. */
static bool write_range(qk__log_file *file, int stream, uint64_t at, const char *data,
                        size_t length)
{
    while (length > 0) {
        size_t run;
        off_t place = qk__log_place(stream, at, &run);
        size_t some = length < run ? length : run;
        if (!write_at(file, data, some, place))
            return false;
        at += some;
        data += some;
        length -= some;
    }
    return true;
}

static bool sync_stream(qk__log_file *file, int index, const qk__stream *stream)
{
    uint64_t from = file->head.total[index];
    size_t tail_length;
    const char *tail = qk__tail_view(&stream->tail, &tail_length);
    uint64_t tail_at = stream->total - tail_length;
    bool good = true;

    if (stream->total == from)
        return true;
    file->head.writing[index] = stream->total;
    if (!write_head(file))
        return false;
    if (from < stream->head.length)
        good = write_range(file, index, from, stream->head.data + from,
                           stream->head.length - (size_t)from);
    if (tail_length > 0 && tail_at < from) {
        tail += from - tail_at;
        tail_length -= (size_t)(from - tail_at);
        tail_at = from;
    }
    if (good && tail_length > 0)
        good = write_range(file, index, tail_at, tail, tail_length);
    file->head.total[index] = stream->total;
    return good && write_head(file);
}

void qk__log_file_sync(qk__log_file *file, const qk__stream *out, const qk__stream *err)
{
    if (file->broken || out->failed || err->failed || out->total + err->total == 0)
        return;
    bool good = file->fd >= 0 || make(file);
    good = good && sync_stream(file, 0, out) && sync_stream(file, 1, err);
    if (good)
        return;
    file->broken = true;
    if (file->fd >= 0) {
        unlinkat(file->dir, file->name, 0);
        close(file->fd);
        file->fd = -1;
    }
}

bool qk__log_file_end(qk__log_file *file, const qk__stream *out, const qk__stream *err, bool keep)
{
    if (keep || file->fd >= 0)
        qk__log_file_sync(file, out, err);
    if (file->fd < 0)
        return false;
    file->head.ended = 1;
    write_head(file);
    close(file->fd);
    file->fd = -1;
    return !keep;
}

uint64_t qk__log_size(const qk__stream *stream)
{
    uint64_t most = 2 * QK__STREAM_HALF;

    return QK__LOG_DATA + (stream->total < most ? stream->total : most);
}

void qk__log_remove(int dir, qk_id job, int32_t attempt)
{
    char name[QK__LOG_NAME_SIZE];

    if (dir < 0)
        return;
    qk__log_name(name, job, attempt);
    unlinkat(dir, name, 0);
}
