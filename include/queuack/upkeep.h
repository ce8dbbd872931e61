/*
 * Upkeep: a copy of a store in use, and a look at one that may be damaged.
 */
#ifndef QUEUACK_UPKEEP_H
#define QUEUACK_UPKEEP_H

#include <queuack/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Told how far a long call is, on the calling thread; rows. `total` may be 0: not known yet. False
 * ends the call with QK_EINTERRUPTED. Must not use the handle. */
typedef bool (*qk_progress_fn)(void *user, uint64_t done, uint64_t total);

typedef struct qk_backup_options {
    uint32_t version;
    bool overwrite; /* replace a file of that name; otherwise it is an error */
    qk_progress_fn progress; /* NULL: nobody is told */
    void *progress_user;
} qk_backup_options;

/* clang-format off */
#define QK_BACKUP_OPTIONS_INIT { 1, false, NULL, NULL }
/* clang-format on */

/*
 * Writes a copy of the store as it stands at one moment, everything reported before the call
 * included, to a new file that Queuack and DuckDB open. The store stays in use meanwhile. The file
 * appears under its name only when it is complete and on disk (mode 0600); until then it is
 * `<path>.part-…` beside it, which a crash may leave behind. Jobs that run at that moment count as
 * interrupted in the copy. Rows are copied one by one, so an unreadable one fails the backup.
 * Expected: QK_ECONFLICT (the path exists), QK_EREFUSED (it is the store itself, or a store with a
 * log that was not closed), QK_EBUSY (it is in use), QK_EFULL, QK_EIO, QK_EINTERRUPTED, QK_ECLOSED.
 */
QK_API qk_status qk_backup(qk_queue *queue, const char *path, const qk_backup_options *options,
                           qk_error *err);

typedef enum qk_finding {
    QK_FINDING_GOOD = 0,
    QK_FINDING_NOTE = 1, /* worth knowing, nothing to do */
    QK_FINDING_DAMAGE = 2,
} qk_finding;

/* One result of a check. `part`: "file", "lock", "log", "tables", "invariants", "saved". Both texts
 * are borrowed for the call; one line each. On the calling thread. */
typedef void (*qk_finding_fn)(void *user, qk_finding finding, const char *part, const char *text);

typedef struct qk_check_options {
    uint32_t version;
    const char *temp_dir; /* where the copy is made that is looked at; NULL: $TMPDIR or /tmp */
    const char *save_to; /* write every row that can be read to a new store; NULL: do not */
    bool overwrite; /* of save_to */
    qk_progress_fn progress; /* NULL: nobody is told */
    void *progress_user;
    qk_finding_fn found; /* NULL: only the result counts */
    void *found_user;
} qk_check_options;

/* clang-format off */
#define QK_CHECK_OPTIONS_INIT { 1, NULL, NULL, false, NULL, NULL, NULL, NULL }
/* clang-format on */

/*
 * Examines a store's file, log and content. Works on a copy in the temp folder, which needs as much
 * room as the file and its log: the file itself is read and never changed. QK_OK when it is sound.
 * Expected: QK_EDAMAGED, QK_EBUSY (in use: only what can be seen from outside was looked at),
 * QK_ENOTFOUND, QK_EREFUSED (no store of ours), QK_EVERSION, QK_EFULL, QK_EIO, QK_EINTERRUPTED;
 * for save_to as qk_backup. Any thread; needs no handle.
 */
QK_API qk_status qk_store_check(const char *url, const qk_check_options *options, qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
