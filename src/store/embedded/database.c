/*
 * Opening the DuckDB file; see database.h.
 *
 * Opening runs on a short-lived thread of its own with a private umask, so that the file and its
 * log are 0600 from their first byte. A refused file stays as it was: what can be told from outside
 * is told before DuckDB opens it, the rest by reading, with DuckDB's checkpoint at shutdown switched
 * off, since that would fold the log into the file.
 *
 * DuckDB may touch no file but the store, its log and the spill folder (enable_external_access is
 * off): a second fence behind the allow-list of checked_sql.c. What needs other files (a backup)
 * opens a DuckDB of its own.
 */
#include "store/embedded/database.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/embedded/database_file.h"
#include "store/embedded/schema.h"
#include "util/error.h"

#define MEMORY_DEFAULT_MAX ((uint64_t)4 << 30)
#define SHRUNK (8u << 20)
#define CACHE_HIGH (96u << 20)
#define CACHE_LOW (64u << 20)

typedef struct opening {
    duckdb_database database; /* NULL until opened */
    const qk__store_config *config;
    bool memory, exists;
    const qk__spill *spill;
    qk_status rc;
    qk_error *err;
} opening;

const char *qk_store_library_version(void)
{
    return duckdb_library_version();
}

typedef struct phrase {
    const char *text;
    qk_status code;
    const char *advice;
} phrase;

/* What DuckDB says in words only. The first that fits counts. */
static const phrase phrases[] = {
    { "No space left on device", QK_EFULL, "make room and try again" },
    { "Disk quota exceeded", QK_EFULL, "make room and try again" },
    { "File too large", QK_EFULL, "raise the limit on the size of files" },
    { "failed to offload data block", QK_ENOMEM, "the spill folder is full: make room" },
    { "out of memory", QK_ENOMEM, "ask for less at once" },
    { "could not allocate block", QK_ENOMEM, "ask for less at once" },
    { "Could not set lock", QK_EBUSY, "another program has the file open" },
    { "Conflicting lock", QK_EBUSY, "another program has the file open" },
    { "newer version of DuckDB", QK_EVERSION, "the file needs a newer DuckDB" },
    { "file with version number", QK_EVERSION, "the file needs another version of DuckDB" },
    { "has been invalidated", QK_EIO, "close the store and open it again" },
    { "Corrupt", QK_EDAMAGED, "restore it from a backup; nothing was changed" },
    { "checksum", QK_EDAMAGED, "restore it from a backup; nothing was changed" },
    { "Failure while replaying WAL", QK_EDAMAGED, "restore it from a backup; nothing was changed" },
    { "not a valid DuckDB database", QK_EDAMAGED, "restore it from a backup; nothing was changed" },
    { "Could not read enough bytes", QK_EDAMAGED, "restore it from a backup; nothing was changed" },
    { "Permission denied", QK_EIO, "check the permissions of the file and its folder" },
    { "Read-only file system", QK_EIO, "the file system is read-only" },
};

static const phrase *find_phrase(const char *text)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (strstr(text, phrases[i].text))
            return &phrases[i];
    }
    return NULL;
}

static qk_status code_of_type(duckdb_error_type type)
{
    switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY:
        return QK_ENOMEM;
    case DUCKDB_ERROR_INTERRUPT:
        return QK_EINTERRUPTED;
    case DUCKDB_ERROR_SERIALIZATION:
        return QK_EDAMAGED;
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_FATAL:
        return QK_EIO;
    default:
        return QK_EINTERNAL;
    }
}

qk_status qk__database_error(qk_error *err, const char *doing, duckdb_error_type type,
                             const char *text)
{
    if (!text)
        text = "DuckDB gives no reason";
    int line = (int)strcspn(text, "\n");
    const phrase *known = find_phrase(text);
    if (known)
        return qk__error(err, known->code, "%s: %.*s: %s", doing, line > 300 ? 300 : line, text,
                         known->advice);
    return qk__error(err, code_of_type(type), "%s: %.*s", doing, line, text);
}

qk_status qk__database_run(duckdb_connection connection, const char *sql, qk_error *err)
{
    duckdb_result result;
    qk_status rc = QK_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        rc = qk__database_error(err, "the store's database refused",
                                duckdb_result_error_type(&result), duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return rc;
}

static _Thread_local bool is_private;
static atomic_bool sealing; /* a thread could not be made private */

void qk__database_private_files(void)
{
    /* The umask belongs to a structure that threads share unless they part with it. Containers may
     * forbid that; then rights are taken away once the file is there. */
    is_private = true;
    if (unshare(CLONE_FS) == 0)
        umask(0077);
    else
        atomic_store(&sealing, true);
}

typedef struct errand {
    void (*call)(void *argument);
    void *argument;
} errand;

static void *run_errand(void *argument)
{
    errand *e = argument;
    qk__database_private_files();
    e->call(e->argument);
    return NULL;
}

bool qk__database_privately(void (*call)(void *argument), void *argument)
{
    errand e = { call, argument };
    pthread_t thread;
    if (is_private) {
        call(argument);
        return true;
    }
    if (pthread_create(&thread, NULL, run_errand, &e) != 0)
        return false;
    pthread_join(thread, NULL);
    return true;
}

void qk__database_seal_log(const char *path)
{
    static const char *const logs[] = { ".wal", ".wal.checkpoint" };
    char name[PATH_MAX];
    if (!atomic_load(&sealing))
        return;
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        if (snprintf(name, sizeof(name), "%s%s", path, logs[i]) < (int)sizeof(name))
            (void)chmod(name, 0600); /* often it is not there */
    }
}

static uint64_t memory_limit(const qk__store_config *config)
{
    if (config->query_memory)
        return config->query_memory;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t quarter = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 0;
    return quarter == 0 || quarter > MEMORY_DEFAULT_MAX ? MEMORY_DEFAULT_MAX : quarter;
}

/* Options that an older or newer DuckDB may lack are set if it has them. Without a file DuckDB would
 * fence off the spill folder as well; there the fence goes up once it is open. */
static bool configure(duckdb_config config, const opening *o)
{
    char memory[32];
    snprintf(memory, sizeof(memory), "%" PRIu64 "B", memory_limit(o->config));
    bool good = duckdb_set_config(config, "threads", "1") == DuckDBSuccess &&
                duckdb_set_config(config, "memory_limit", memory) == DuckDBSuccess &&
                duckdb_set_config(config, "temp_directory", o->spill->path) == DuckDBSuccess &&
                (o->memory ||
                 duckdb_set_config(config, "enable_external_access", "false") == DuckDBSuccess) &&
                duckdb_set_config(config, "checkpoint_threshold", "1TB") == DuckDBSuccess;
    duckdb_set_config(config, "autoinstall_known_extensions", "false");
    duckdb_set_config(config, "autoload_known_extensions", "false");
    duckdb_set_config(config, "allow_community_extensions", "false");
    duckdb_set_config(config, "auto_checkpoint_skip_wal_threshold", "1000000000000");
    return good;
}

static qk_status open_duckdb(opening *o)
{
    duckdb_config config = NULL;
    char *text = NULL;
    qk_status rc = QK_OK;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return qk__error(o->err, QK_ENOMEM, "out of memory");
    if (!configure(config, o)) {
        rc = qk__error(o->err, QK_EINTERNAL, "this DuckDB (%s) lacks an option that Queuack needs",
                       duckdb_library_version());
    } else if (duckdb_open_ext(o->memory ? NULL : o->config->path, &o->database, config, &text) !=
               DuckDBSuccess) {
        o->database = NULL;
        char doing[600];
        snprintf(doing, sizeof(doing), "cannot open %.560s", o->config->path);
        rc = qk__database_error(o->err, doing, DUCKDB_ERROR_IO, text);
    }
    duckdb_free(text);
    duckdb_destroy_config(&config);
    return rc;
}

static qk_status check_and_prepare(const opening *o)
{
    duckdb_connection connection = NULL;
    qk__schema_state state;
    if (duckdb_connect(o->database, &connection) != DuckDBSuccess)
        return qk__error(o->err, QK_ENOMEM, "out of memory");
    qk_status rc = qk__database_run(connection, "PRAGMA disable_checkpoint_on_shutdown", o->err);
    if (!rc && o->memory)
        rc = qk__database_run(connection, "SET enable_external_access = false", o->err);
    if (!rc)
        rc = qk__schema_inspect(&state, connection, o->config->path, o->err);
    if (!rc)
        rc = qk__schema_prepare(connection, &state, o->err);
    if (!rc)
        rc = qk__database_run(connection, "PRAGMA enable_checkpoint_on_shutdown", o->err);
    duckdb_disconnect(&connection);
    return rc;
}

static void *open_thread(void *argument)
{
    opening *o = argument;
    qk__database_private_files();
    o->rc = open_duckdb(o);
    if (o->rc)
        return NULL;
    if (!o->memory && !o->exists)
        chmod(o->config->path, 0600);
    o->rc = check_and_prepare(o);
    if (o->rc)
        duckdb_close(&o->database);
    return NULL;
}

static qk_status open_apart(opening *o)
{
    pthread_t thread;
    int failure = pthread_create(&thread, NULL, open_thread, o);
    if (failure)
        return qk__error_errno(o->err, QK_ENOMEM, failure, "cannot start a thread");
    pthread_join(thread, NULL);
    if (!o->rc)
        o->rc = qk__spill_make(o->spill, o->err);
    if (o->rc)
        duckdb_close(&o->database);
    return o->rc;
}

qk_status qk__database_open(duckdb_database *out, qk__spill *spill, const qk__store_config *config,
                            qk_error *err)
{
    opening o = { .config = config,
                  .err = err,
                  .memory = strcmp(config->path, ":memory:") == 0,
                  .spill = spill };
    qk_status rc = QK_OK;
    *out = NULL;
    *spill = (qk__spill){ .fd = -1 };
    if (!o.memory)
        rc = qk__database_file_check(&o.exists, config->path, config->must_exist, err);
    if (!rc)
        rc = qk__spill_open(spill, config, err);
    if (!rc)
        rc = open_apart(&o);
    if (rc)
        qk__spill_close(spill);
    else
        *out = o.database;
    return rc;
}

void qk__database_close(duckdb_database *database, qk__spill *spill)
{
    if (!database || !*database)
        return;
    duckdb_close(database);
    qk__spill_close(spill);
}

/* Bytes that DuckDB holds, of them blocks of the file. */
static void memory_in_use(duckdb_connection connection, uint64_t *all, uint64_t *blocks)
{
    duckdb_result result;
    *all = *blocks = 0;
    if (duckdb_query(connection,
                     "SELECT sum(memory_usage_bytes)::UBIGINT, "
                     "sum(memory_usage_bytes) FILTER (tag = 'BASE_TABLE')::UBIGINT "
                     "FROM duckdb_memory()",
                     &result) == DuckDBSuccess) {
        *all = duckdb_value_uint64(&result, 0, 0);
        *blocks = duckdb_value_uint64(&result, 1, 0);
    }
    duckdb_destroy_result(&result);
}

/* DuckDB keeps what it wrote up to its limit, and gives back when that sinks. */
static void sink_limit(duckdb_connection connection, const qk__store_config *config, uint64_t limit)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "SET memory_limit = '%" PRIu64 "B'", limit);
    (void)qk__database_run(connection, sql, NULL);
    snprintf(sql, sizeof(sql), "SET memory_limit = '%" PRIu64 "B'", memory_limit(config));
    (void)qk__database_run(connection, sql, NULL);
}

void qk__database_shrink(duckdb_database database, const qk__store_config *config, bool whole)
{
    duckdb_connection connection = NULL;
    uint64_t all, blocks, limit = SHRUNK;
    if (duckdb_connect(database, &connection) != DuckDBSuccess)
        return;
    memory_in_use(connection, &all, &blocks);
    if (!whole)
        limit = all - blocks + CACHE_LOW;
    if ((whole || blocks > CACHE_HIGH) && limit < memory_limit(config))
        sink_limit(connection, config, limit);
    duckdb_disconnect(&connection);
}
