/*
 * Ownership of a store file: an open-file-description lock on `<file>.lock`.
 *
 * DuckDB's own lock is dropped when anything in the process closes the database file, so ours is on
 * a file of its own and of the kind (F_OFD_SETLK) that other closes do not drop. The kernel releases
 * it when the process dies. The file is never deleted: another process may hold it already.
 */
#ifndef QK_STORE_EMBEDDED_LOCK_H
#define QK_STORE_EMBEDDED_LOCK_H

#include <queuack/types.h>

typedef struct qk__file_lock {
    int fd; /* -1: none */
} qk__file_lock;

/* Waits up to wait_us for the lock. QK_EBUSY (another holds it, with its pid if it wrote one),
 * QK_EIO, QK_EREFUSED (the lock file is not a plain file). A missing file is created with 0600. */
qk_status qk__file_lock_take(qk__file_lock *lock, const char *store_path, int64_t wait_us,
                             qk_error *err);
void qk__file_lock_release(qk__file_lock *lock);

/* Marks this process as one that keeps the store open and would own it (a shared lock on the next
 * byte), until released. Those who only pass by leave the file to such ones. */
qk_status qk__file_stay(qk__file_lock *mark, const char *store_path, qk_error *err);
bool qk__file_others_stay(const char *store_path); /* the caller has no mark itself */

/* Of the last owner, as it wrote it; 0: unknown. */
long qk__file_lock_pid(const char *store_path);

#endif
