/*
 * Files beside a file store, in <store>.logs (0700, files 0600): output of commands as it comes, and
 * a list of what runs, by which a later worker ends what a killed one left behind.
 *
 * A command that is short and says little never touches the disk: its output is written on a tick,
 * and stays at its end only if what the attempt keeps does not tell the same: it is longer, not plain
 * text, or some of it went to standard error.
 *
 * One file per attempt, ID-ATTEMPT.log: a head, then per stream its first half MiB and a ring of the
 * last half MiB. `writing` rises before the ring is touched and `total` after, so that a reader can
 * tell what was overwritten under it. The writer holds a lock while it lives.
 */
#ifndef QK_WORKER_LOGS_H
#define QK_WORKER_LOGS_H

#include <queuack/job.h>

#include <sys/types.h>

#include "worker/capture.h"

#define QK__LOG_MAGIC "QKLOG\0\0\1"
#define QK__LOG_NAME_SIZE 64
#define QK__LOG_DATA 4096
#define QK__LOG_STREAMS 2

typedef struct qk__log_head {
    char magic[8];
    uint64_t writing[QK__LOG_STREAMS], total[QK__LOG_STREAMS];
    uint32_t ended;
} qk__log_head;

/* One attempt's file, made on its first sync. */
typedef struct qk__log_file {
    int dir, fd; /* fd -1: none yet */
    char name[QK__LOG_NAME_SIZE];
    qk__log_head head;
    bool broken; /* the disk refused it: no further try */
} qk__log_file;

/* The folder's descriptor, or -1 with errno: it is missing (and not to be made), or not a folder of
 * this user's that nobody else may write to (EPERM). */
int qk__logs_dir(const char *store, bool make);

void qk__log_name(char out[QK__LOG_NAME_SIZE], qk_id job, int32_t attempt);
/* dir -1: nothing is ever written. */
void qk__log_file_init(qk__log_file *file, int dir, qk_id job, int32_t attempt);
/* Brings the file up to date; nothing is made for streams that are empty. */
void qk__log_file_sync(qk__log_file *file, const qk__stream *out, const qk__stream *err);
/* The attempt has ended; with `keep` its output stays. True: there is a file, to be removed once the
 * attempt is stored. */
bool qk__log_file_end(qk__log_file *file, const qk__stream *out, const qk__stream *err, bool keep);
/* What a stream takes on the disk, about. */
uint64_t qk__log_size(const qk__stream *stream);
void qk__log_remove(int dir, qk_id job, int32_t attempt);

/* Removes what is older than a week, and the oldest when all is more than 256 MiB. */
void qk__logs_sweep(int dir);
/* True while whoever writes it lives. */
bool qk__log_is_live(int fd);
/* Where byte `at` of a stream lies in the file, and in *run how many follow in one piece. */
off_t qk__log_place(int stream, uint64_t at, size_t *run);

#endif
