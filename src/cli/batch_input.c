/*
 * Reading lines; see batch_input.h.
 */
#include "batch_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_CAPACITY ((size_t)16 << 20)
#define MAX_LINE ((size_t)128 << 20)

static ssize_t read_some(int fd, void *data, size_t room)
{
    ssize_t got;
    do
        got = read(fd, data, room);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, data, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        data += done;
        length -= (size_t)done;
    }
    return true;
}

/* An unlinked file in the folder for temporary files. */
static int temporary_file(void)
{
    char path[512];
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder)
        folder = "/tmp";
    if (snprintf(path, sizeof(path), "%s/queuack-batch-XXXXXX", folder) >= (int)sizeof(path))
        return -1;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static qk_status spool(batch_input *input, qk_error *err)
{
    ssize_t got = 0;
    int copy = temporary_file();
    if (copy < 0)
        return cli_error_errno(err, QK_EIO, errno, "cannot make a temporary file for the batch");
    while ((got = read_some(input->fd, input->buffer, input->capacity)) > 0) {
        if (!write_all(copy, input->buffer, (size_t)got)) {
            qk_status rc = cli_error_errno(err, errno == ENOSPC ? QK_EFULL : QK_EIO, errno,
                                           "cannot write a temporary file for the batch");
            close(copy);
            return rc;
        }
    }
    if (got < 0) {
        close(copy);
        return cli_error_errno(err, QK_EINVAL, errno, "cannot read the batch");
    }
    close(input->fd);
    input->fd = copy;
    return batch_input_rewind(input, err);
}

qk_status batch_input_open(batch_input *out, const char *path, qk_error *err)
{
    struct stat info = { 0 };
    batch_input input = { .fd = -1 };
    qk_status rc = QK_OK;
    input.fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                      : open(path, O_RDONLY | O_CLOEXEC);
    if (input.fd < 0 || fstat(input.fd, &info) != 0) {
        rc = cli_error_errno(err, QK_EINVAL, errno, "cannot read the batch %.300s", path);
    } else if (S_ISDIR(info.st_mode)) {
        rc = cli_error(err, QK_EINVAL, "the batch %.300s is a folder: name a file", path);
    } else {
        input.capacity = FIRST_CAPACITY;
        input.buffer = malloc(input.capacity);
        if (!input.buffer)
            rc = cli_error(err, QK_ENOMEM, "out of memory");
    }
    /* Standard input may be a file somebody has read from, and is then not ours to rewind. */
    if (!rc && (!S_ISREG(info.st_mode) || strcmp(path, "-") == 0))
        rc = spool(&input, err);
    if (rc) {
        batch_input_close(&input);
        return rc;
    }
    *out = input;
    return QK_OK;
}

void batch_input_close(batch_input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    free(input->buffer);
    *input = (batch_input){ .fd = -1 };
}

qk_status batch_input_rewind(batch_input *input, qk_error *err)
{
    if (lseek(input->fd, 0, SEEK_SET) != 0)
        return cli_error_errno(err, QK_EIO, errno, "cannot read the batch a second time");
    input->start = input->end = 0;
    input->line = 0;
    input->at_end = false;
    return QK_OK;
}

static qk_status make_room(batch_input *input, qk_error *err)
{
    if (input->start > 0) {
        memmove(input->buffer, input->buffer + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
    }
    if (input->end < input->capacity)
        return QK_OK;
    if (input->capacity >= MAX_LINE)
        return cli_error(err, QK_ETOOLARGE, "line %llu: longer than %zu MiB: split it",
                         (unsigned long long)input->line + 1, MAX_LINE >> 20);
    char *more = realloc(input->buffer, input->capacity * 2);
    if (!more)
        return cli_error(err, QK_ENOMEM, "out of memory");
    input->buffer = more;
    input->capacity *= 2;
    return QK_OK;
}

qk_status batch_input_fill(batch_input *input, qk_error *err)
{
    qk_status rc = make_room(input, err);
    while (!rc && !input->at_end && input->end < input->capacity) {
        ssize_t got =
            read_some(input->fd, input->buffer + input->end, input->capacity - input->end);
        if (got < 0)
            return cli_error_errno(err, QK_EIO, errno, "cannot read the batch");
        if (input->hash)
            sha256_add(input->hash, input->buffer + input->end, (size_t)got);
        input->end += (size_t)got;
        input->at_end = got == 0;
    }
    if (rc)
        return rc;
    return input->start == input->end ? QK_EMPTY : QK_OK;
}

bool batch_input_line(batch_input *input, char **text, size_t *length)
{
    size_t left = input->end - input->start;
    char *start = input->buffer + input->start;
    char *end = left ? memchr(start, '\n', left) : NULL;
    if (!end && (!input->at_end || left == 0))
        return false;
    *text = start;
    *length = end ? (size_t)(end - start) : left;
    input->start += *length + (end != NULL);
    input->line++;
    return true;
}
