/*
 * Checkpoints: DuckDB moves its log into the file.
 *
 * With nothing else open it does so exclusively: it merges and drops row groups, and every commit
 * waits for all of it (measured: from 500 ms to seconds, growing with the file). With a transaction
 * open that does not see the last commit it goes on beside the writer, who waits only while the
 * table that it appends to is written and at the very end (measured: 20 ms). So: exclusive at quiet
 * times only.
 *
 * Runs on the keeper's thread.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CUT_BYTES (4 << 20)
#define CUT_PAUSE_NS 2000000

/* A bystander that began before the last commit, whatever the writer does meanwhile. */
static qk_status bystand(struct duckdb_journal *journal, qk_error *err)
{
    int64_t none;
    qk_status rc = qk__database_run(journal->bystander, "BEGIN TRANSACTION READ ONLY", err);
    rc = rc == QK_OK ? journal_numbers(journal->bystander, "SELECT count(*) FROM queuack_meta",
                                       &none, 1, err)
                     : rc;
    return rc == QK_OK
               ? qk__database_run(journal->maintenance,
                                  "UPDATE queuack_meta SET value = value WHERE key = 'format'", err)
               : rc;
}

static int open_log(const struct duckdb_journal *journal)
{
    char name[PATH_MAX];
    if (journal->path == NULL ||
        snprintf(name, sizeof name, "%s.wal", journal->path) >= (int)sizeof name) {
        return -1;
    }
    return open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/*
 * DuckDB replaces its log at the end of a checkpoint, while commits wait. Freeing the old one there
 * takes the file system 20 ms for 60 MB; held open, it is freed here, in pieces.
 */
static void free_old_log(int fd)
{
    struct stat info;
    const struct timespec pause = { 0, CUT_PAUSE_NS };
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &info) == 0 && info.st_nlink == 0) {
        off_t size = info.st_size;
        while (size > CUT_BYTES && ftruncate(fd, size - CUT_BYTES) == 0) {
            size -= CUT_BYTES;
            nanosleep(&pause, NULL);
        }
    }
    (void)close(fd);
}

qk_status journal_checkpoint(qk__journal *base, bool quiet, qk_error *err)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    int log = open_log(journal);
    qk_status rc = quiet ? QK_OK : bystand(journal, err);
    rc = rc == QK_OK ? qk__database_run(journal->maintenance, "CHECKPOINT", err) : rc;
    if (!quiet) {
        (void)qk__database_run(journal->bystander, "ROLLBACK", NULL);
    }
    free_old_log(log);
    if (journal->path != NULL) {
        qk__database_seal_log(journal->path);
    }
    return rc;
}
