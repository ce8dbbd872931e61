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

typedef struct opening {
    duckdb_database database; /* NULL until opened */
    const qk__store_config *config;
    bool memory, exists;
    char spill[PATH_MAX];
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

/* <path>.tmp, or a folder of its own below temp_dir: DuckDB's spill files have fixed names. */
static qk_status name_spill(opening *o)
{
    const char *temp = o->config->temp_dir;
    int length;
    if (!o->memory && !(temp && *temp)) {
        length = snprintf(o->spill, sizeof(o->spill), "%s.tmp", o->config->path);
    } else {
        char id[QK_ID_TEXT_SIZE];
        if (!temp || !*temp)
            temp = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
        length = snprintf(o->spill, sizeof(o->spill), "%s/queuack-%s.tmp", temp,
                          qk_id_format(id, qk_id_new()));
    }
    if (length < 0 || (size_t)length >= sizeof(o->spill))
        return qk__error(o->err, QK_EINVAL, "the path is too long");
    return QK_OK;
}

static uint64_t memory_limit(const qk__store_config *config)
{
    if (config->query_memory)
        return config->query_memory;
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t quarter = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : 0;
    return quarter == 0 || quarter > MEMORY_DEFAULT_MAX ? MEMORY_DEFAULT_MAX : quarter;
}

/* Options that an older or newer DuckDB may lack are set if it has them. */
static bool configure(duckdb_config config, const opening *o)
{
    char memory[32];
    snprintf(memory, sizeof(memory), "%" PRIu64 "B", memory_limit(o->config));
    bool good = duckdb_set_config(config, "threads", "1") == DuckDBSuccess &&
                duckdb_set_config(config, "memory_limit", memory) == DuckDBSuccess &&
                duckdb_set_config(config, "temp_directory", o->spill) == DuckDBSuccess &&
                duckdb_set_config(config, "enable_external_access", "false") == DuckDBSuccess &&
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

qk_status qk__database_open(duckdb_database *out, const qk__store_config *config, qk_error *err)
{
    opening o = { .config = config, .err = err, .memory = strcmp(config->path, ":memory:") == 0 };
    pthread_t thread;
    *out = NULL;
    if (!o.memory) {
        qk_status rc = qk__database_file_check(&o.exists, config->path, config->must_exist, err);
        if (rc)
            return rc;
    }
    qk_status rc = name_spill(&o);
    if (rc)
        return rc;
    int failure = pthread_create(&thread, NULL, open_thread, &o);
    if (failure)
        return qk__error_errno(err, QK_ENOMEM, failure, "cannot start a thread");
    pthread_join(thread, NULL);
    if (o.rc)
        return o.rc;
    if (mkdir(o.spill, 0700) != 0 && errno != EEXIST) {
        rc = qk__error_errno(err, QK_EIO, errno, "cannot make the spill folder %s", o.spill);
        duckdb_close(&o.database);
        return rc;
    }
    *out = o.database;
    return QK_OK;
}

/* DuckDB knows the folder's name; ours was lost with the stack. */
static void spill_folder(char *out, size_t size, duckdb_database database)
{
    duckdb_connection connection = NULL;
    duckdb_result result;
    out[0] = '\0';
    if (duckdb_connect(database, &connection) != DuckDBSuccess)
        return;
    if (duckdb_query(connection, "SELECT current_setting('temp_directory')", &result) ==
        DuckDBSuccess) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
            duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
            duckdb_string_t *text = duckdb_vector_get_data(vector);
            snprintf(out, size, "%.*s", (int)duckdb_string_t_length(*text),
                     duckdb_string_t_data(text));
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
}

void qk__database_close(duckdb_database *database)
{
    char folder[PATH_MAX];
    if (!database || !*database)
        return;
    spill_folder(folder, sizeof(folder), *database);
    duckdb_close(database);
    if (folder[0])
        rmdir(folder); /* stays if something else lives in it */
}

void qk__database_shrink(duckdb_database database, const qk__store_config *config)
{
    char restore[64];
    duckdb_connection connection = NULL;
    if (duckdb_connect(database, &connection) != DuckDBSuccess)
        return;
    snprintf(restore, sizeof(restore), "SET memory_limit = '%" PRIu64 "B'", memory_limit(config));
    (void)qk__database_run(connection, "SET memory_limit = '8MB'", NULL);
    (void)qk__database_run(connection, restore, NULL);
    duckdb_disconnect(&connection);
}
