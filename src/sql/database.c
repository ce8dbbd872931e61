/*
 * The database of the tasks, and what they may do.
 *
 * One instance for a file, opened by the first task, or one per task in memory, so that nothing leaks
 * from one to another. Either way DuckDB is told the folders, then loses access to everything else,
 * then its configuration is locked; a session may still set what concerns itself alone. Before that
 * the guard is tried: without it no SQL runs.
 *
 * `opening` guards the shared instance.
 */
#include <string.h>
#include <time.h>

#include "sql/child.h"
#include "sql/guard.h"
#include "util/error.h"

#define LOCK_WAIT_MS 2000 /* another process may be about to end */
#define LOCK_LOOK_MS 50

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static duckdb_database shared;

qk_status database_error(qk_error *err, qk_status code, const char *text)
{
    const char *known = text ? text : "DuckDB gives no reason";
    size_t length = strlen(known);
    const char *place = strstr(known, "\n\nLINE ");

    /* The picture of the place, which needs several lines. */
    if (place)
        length = (size_t)(place - known);
    if (length > QK_ERROR_MESSAGE_SIZE - 1)
        length = QK_ERROR_MESSAGE_SIZE - 1;
    return qk__error(err, code, "%.*s", (int)length, known);
}

static qk_status run(duckdb_connection connection, const char *sql, qk_error *err)
{
    duckdb_result result;
    qk_status rc = QK_OK;

    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        rc = database_error(err, QK_EIO, duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return rc;
}

static void append_quoted(qk__buffer *out, const char *text)
{
    qk__buffer_text(out, "'");
    for (const char *at = text; *at; at++)
        qk__buffer_append(out, *at == '\'' ? "''" : at, *at == '\'' ? 2 : 1);
    qk__buffer_text(out, "'");
}

/* The order counts: folders while access is open, the lock last. */
static void write_settings(qk__buffer *sql, const settings *settings)
{
    size_t index;
    json_t *folder;

    qk__buffer_text(sql, "SET autoinstall_known_extensions = false;"
                         "SET autoload_known_extensions = false;"
                         "SET allow_community_extensions = false;"
                         "SET allow_persistent_secrets = false;"
                         "SET enable_external_file_cache = false;"
                         "SET temp_directory = ");
    append_quoted(sql, settings->temp);
    qk__buffer_printf(sql, ";SET memory_limit = '%llu B'", (unsigned long long)settings->memory);
    if (settings->threads > 0)
        qk__buffer_printf(sql, ";SET threads = %d", settings->threads);
    qk__buffer_text(sql, ";SET allowed_directories = [");
    json_array_foreach(settings->folders, index, folder)
    {
        qk__buffer_text(sql, index ? ", " : "");
        append_quoted(sql, json_string_value(folder));
    }
    qk__buffer_text(sql, "];SET allowed_configs = ['enable_progress_bar', "
                         "'enable_progress_bar_print', 'schema', 'search_path', 'TimeZone', "
                         "'Calendar', 'preserve_insertion_order', 'default_null_order', "
                         "'default_order'];"
                         "SET enable_external_access = false;"
                         "SET lock_configuration = true");
}

/* Asks for the file that must be out of reach while DuckDB alone would still hand it out. */
static qk_status try_guard(duckdb_connection connection, const settings *settings, qk_error *err)
{
    unsigned long before = guard_refusals();
    qk__buffer sql;
    qk_error refusal = QK_ERROR_INIT;

    if (!*settings->protect)
        return QK_OK;
    qk__buffer_init(&sql, SIZE_MAX);
    qk__buffer_text(&sql, "SELECT size FROM read_blob(");
    append_quoted(&sql, settings->protect);
    qk__buffer_text(&sql, ")");
    qk_status rc = sql.failed ? QK_OK : run(connection, sql.data, &refusal);
    qk__buffer_dispose(&sql);
    if (rc == QK_OK || guard_refusals() == before)
        return qk__error(err, QK_EREFUSED,
                         "the queue's own files cannot be kept out of SQL's reach on this system: "
                         "link libduckdb dynamically");
    return QK_OK;
}

static qk_status restrict_access(duckdb_database database, const settings *settings, qk_error *err)
{
    duckdb_connection connection = NULL;
    qk__buffer sql;

    if (duckdb_connect(database, &connection) != DuckDBSuccess)
        return qk__error(err, QK_ENOMEM, "out of memory for a connection");
    qk__buffer_init(&sql, SIZE_MAX);
    write_settings(&sql, settings);
    qk_status rc = sql.failed ? qk__error(err, QK_ENOMEM, "out of memory") : QK_OK;
    if (rc == QK_OK)
        rc = try_guard(connection, settings, err);
    if (rc == QK_OK)
        rc = run(connection, sql.data, err);
    qk__buffer_dispose(&sql);
    duckdb_disconnect(&connection);
    return rc;
}

static bool is_locked(const char *text)
{
    return text && (strstr(text, "Could not set lock") || strstr(text, "Conflicting lock"));
}

/* Waits a little for another process that has the file. */
static qk_status open_waiting(duckdb_database *out, const char *path, qk_error *err)
{
    const struct timespec pause = { .tv_nsec = LOCK_LOOK_MS * 1000000L };

    for (int waited = 0;; waited += LOCK_LOOK_MS) {
        char *text = NULL;
        if (duckdb_open_ext(path, out, NULL, &text) == DuckDBSuccess)
            return QK_OK;
        bool locked = is_locked(text);
        if (locked && waited < LOCK_WAIT_MS) {
            duckdb_free(text);
            nanosleep(&pause, NULL);
            continue;
        }
        qk_status rc = database_error(err, locked ? QK_EBUSY : QK_EIO, text);
        duckdb_free(text);
        return rc;
    }
}

static qk_status open_restricted(duckdb_database *out, const settings *settings, qk_error *err)
{
    duckdb_database database = NULL;
    const char *path = *settings->database ? settings->database : ":memory:";
    qk_status rc = open_waiting(&database, path, err);

    if (rc == QK_OK)
        rc = restrict_access(database, settings, err);
    if (rc == QK_OK)
        *out = database;
    else if (database)
        duckdb_close(&database);
    return rc;
}

static qk_status connect_to(session *out, duckdb_database database, qk_error *err)
{
    if (duckdb_connect(database, &out->connection) != DuckDBSuccess)
        return qk__error(err, QK_ENOMEM, "out of memory for a connection");
    qk_status rc = run(out->connection,
                       "SET enable_progress_bar = true;SET enable_progress_bar_print = false", err);
    if (rc != QK_OK)
        duckdb_disconnect(&out->connection);
    return rc;
}

qk_status database_session(session *out, const settings *settings, qk_error *err)
{
    session session = { 0 };
    qk_status rc = QK_OK;

    if (*settings->database) {
        pthread_mutex_lock(&opening);
        if (!shared)
            rc = open_restricted(&shared, settings, err);
        pthread_mutex_unlock(&opening);
    } else {
        rc = open_restricted(&session.own, settings, err);
    }
    if (rc == QK_OK)
        rc = connect_to(&session, session.own ? session.own : shared, err);
    if (rc == QK_OK)
        *out = session;
    else if (session.own)
        duckdb_close(&session.own);
    return rc;
}

void database_session_close(session *session)
{
    if (session->connection)
        duckdb_disconnect(&session->connection);
    if (session->own)
        duckdb_close(&session->own);
}

void database_close(void)
{
    pthread_mutex_lock(&opening);
    if (shared)
        duckdb_close(&shared);
    pthread_mutex_unlock(&opening);
}
