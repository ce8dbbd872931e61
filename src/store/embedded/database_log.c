/*
 * DuckDB's log before it is replayed; see database_log.h. Runs on the opening thread; no state.
 *
 * A log is a head of eight bytes and a chain of entries: length, checksum, data. DuckDB refuses an
 * entry whose checksum is wrong, but takes one that reaches beyond the end for the last one, torn by
 * a crash, cuts the log there, and folds what is left into the file: a flipped bit in a length would
 * silently cost all later commits. So the chain is walked first. Every commit ends with the same
 * "flush" entry, and a commit is synced before the next begins: where one follows the end of the
 * chain, it was not torn.
 */
#include "store/embedded/database_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"

#define HEAD_SIZE 8
#define ENTRY_HEAD 16
#define WINDOW 65536

/* Version 2. Later ones are DuckDB's to judge: it refuses what it does not know. */
static const unsigned char head[HEAD_SIZE] = { 0x64, 0x00, 0x62, 0x65, 0x00, 0x02, 0xFF, 0xFF };
#define HEAD_VERSION 5

/* The checksum and data of a flush entry. */
static const unsigned char flush[] = { 0xE7, 0xFE, 0x7D, 0x72, 0x2F, 0xED, 0x3D,
                                       0x5E, 0x64, 0x00, 0x64, 0xFF, 0xFF };

static qk_status damaged(const char *path, const char *how, qk_error *err)
{
    return qk__error(err, QK_EDAMAGED,
                     "the log %.300s.wal is damaged: %s; restore both files from a backup; nothing "
                     "was changed",
                     path, how);
}

static bool read_all(int fd, void *out, size_t size, off_t offset)
{
    ssize_t got = pread(fd, out, size, offset);
    if (got >= 0 && (size_t)got != size)
        errno = EIO; /* it became shorter: somebody else is at it */
    return got == (ssize_t)size;
}

/* Where the chain ends; -1 with errno. */
static off_t chain_end(int fd, off_t size)
{
    unsigned char bytes[8];
    off_t offset = HEAD_SIZE;
    while (size - offset >= ENTRY_HEAD) {
        uint64_t length = 0;
        if (!read_all(fd, bytes, sizeof(bytes), offset))
            return -1;
        for (int i = 7; i >= 0; i--)
            length = length << 8 | bytes[i];
        if (length == 0 || length > (uint64_t)(size - offset - ENTRY_HEAD))
            break;
        offset += ENTRY_HEAD + (off_t)length;
    }
    return offset;
}

/* Whether a flush entry lies at or behind `offset`. */
static bool flush_follows(int fd, off_t offset, off_t size, bool *failed)
{
    unsigned char window[WINDOW];
    while (size - offset >= (off_t)sizeof(flush)) {
        size_t count = size - offset < WINDOW ? (size_t)(size - offset) : WINDOW;
        if (!read_all(fd, window, count, offset)) {
            *failed = true;
            return false;
        }
        if (memmem(window, count, flush, sizeof(flush)))
            return true;
        offset += (off_t)(count - sizeof(flush) + 1);
    }
    return false;
}

static qk_status check_head(int fd, const char *path, bool *ours, qk_error *err)
{
    unsigned char bytes[HEAD_SIZE];
    if (!read_all(fd, bytes, sizeof(bytes), 0))
        return qk__error_errno(err, QK_EIO, errno, "cannot read the log %s.wal", path);
    unsigned version = bytes[HEAD_VERSION];
    bytes[HEAD_VERSION] = head[HEAD_VERSION];
    *ours = version == head[HEAD_VERSION];
    if (memcmp(bytes, head, HEAD_SIZE) != 0 || version < head[HEAD_VERSION] || version > 0x7F)
        return damaged(path, "its head is not DuckDB's", err);
    return QK_OK;
}

static qk_status check_entries(int fd, const char *path, off_t size, qk_error *err)
{
    bool ours = false, failed = false;
    qk_status rc = check_head(fd, path, &ours, err);
    if (rc || !ours)
        return rc;
    off_t end = chain_end(fd, size);
    bool lost = end >= 0 && end < size && flush_follows(fd, end, size, &failed);
    if (end < 0 || failed)
        return qk__error_errno(err, QK_EIO, errno, "cannot read the log %s.wal", path);
    if (!lost)
        return QK_OK;
    char how[96];
    snprintf(how, sizeof(how), "commits lie behind a broken entry at byte %" PRIdMAX,
             (intmax_t)end);
    return damaged(path, how, err);
}

qk_status qk__database_log_check(const char *path, bool exists, qk_error *err)
{
    char name[PATH_MAX];
    struct stat info;
    if (snprintf(name, sizeof(name), "%s.wal", path) >= (int)sizeof(name))
        return qk__error(err, QK_EINVAL, "the path is too long");
    if (stat(name, &info) != 0) {
        return errno == ENOENT ? QK_OK
                               : qk__error_errno(err, QK_EIO, errno, "cannot read %s", name);
    }
    if (!S_ISREG(info.st_mode))
        return qk__error(err, QK_EREFUSED, "%s is not a file: move it away", name);
    if (info.st_size == 0)
        return QK_OK;
    if (!exists)
        return qk__error(err, QK_EDAMAGED,
                         "%s is missing or empty, but its log %s.wal is not: restore the file, or "
                         "move the log away",
                         path, path);
    if (info.st_size < HEAD_SIZE)
        return QK_OK;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot read %s", name);
    qk_status rc = check_entries(fd, path, info.st_size, err);
    close(fd);
    return rc;
}
