/*
 * Opening the DuckDB file: configuration, schema, what is recognised and refused.
 *
 * The caller holds the owner's lock. Translates DuckDB's errors into statuses, once, here.
 */
#ifndef QK_STORE_EMBEDDED_DATABASE_H
#define QK_STORE_EMBEDDED_DATABASE_H

#include <duckdb.h>
#include <stdbool.h>

#include "store/embedded/spill.h"
#include "store/store.h"

#define QK__SCHEMA_VERSION 1

/* Opens or creates, checks that the file is ours, creates or upgrades the schema (then checkpoints).
 * Extension loading and access to other files off, threads=1, checkpoints ours (thresholds raised),
 * memory limit and spill folder set; `spill` must stay where it is until closed. QK_EDAMAGED, QK_EVERSION, QK_EREFUSED, QK_EIO, QK_ENOTFOUND,
 * QK_EFULL, QK_EBUSY. Nothing is changed in a file that is refused. */
qk_status qk__database_open(duckdb_database *out, qk__spill *spill, const qk__store_config *config,
                            qk_error *err);

/* Closes the database and removes its spill folder. DuckDB checkpoints then if there is a log.
 * All connections must be gone. NULL-safe. */
void qk__database_close(duckdb_database *database, qk__spill *spill);

/* Makes files that DuckDB creates on this thread private (0600), whatever the process's umask: the
 * write-ahead log comes and goes with every checkpoint. For threads of our own that commit or
 * checkpoint; call once at their start. They must not change folder or umask for others. */
void qk__database_private_files(void);

/* Runs `call` on such a thread: this one if it is, else one that lives as long as the call. False:
 * there was none to be had, and nothing was done. */
bool qk__database_privately(void (*call)(void *argument), void *argument);

/* Where threads cannot be made private (a container may forbid it): takes the log's rights away from
 * others after the fact. Cheap; call it after each commit and checkpoint, with the file's path. */
void qk__database_seal_log(const char *path);

/* Runs statements that return nothing. */
qk_status qk__database_run(duckdb_connection connection, const char *sql, qk_error *err);

/* The status for a DuckDB error text (and its duckdb_error_type), with a message for people. */
qk_status qk__database_error(qk_error *err, const char *doing, duckdb_error_type type,
                             const char *text);

/* Gives back memory that only caches the file: all of it, or what is more than a small part, while
 * commits go on. Nobody may query the database meanwhile, and nobody use it when it is the whole: a
 * statement could fail for memory. */
void qk__database_shrink(duckdb_database database, const qk__store_config *config, bool whole);

#endif
