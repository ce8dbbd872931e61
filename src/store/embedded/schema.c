/*
 * The tables of the file and their versions; see schema.h and docs/file-format.md.
 *
 * Runs at open only, on the opening thread, before any other connection exists. DDL never shares a
 * transaction with DML, and a checkpoint follows it (replaying DDL is where most reported replay
 * failures lie). Steps are idempotent: the version is written last.
 */
#include "store/embedded/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/database.h"
#include "store/embedded/views.h"
#include "util/error.h"

#define JOB_ROW                                                                                    \
    "id UUID, seq BIGINT, related UUID, node VARCHAR, kind VARCHAR, queue VARCHAR, "               \
    "priority UTINYINT, payload VARCHAR, created_at TIMESTAMP, status UTINYINT, "                  \
    "execute_after TIMESTAMP, claimed_at TIMESTAMP, claimed_by VARCHAR, finished_at TIMESTAMP, "   \
    "attempts INTEGER, attempt INTEGER, result VARCHAR, error VARCHAR, exit_code INTEGER, "        \
    "log_tail VARCHAR, ext VARCHAR"

#define EDGES_TABLE "CREATE TABLE IF NOT EXISTS edges(batch BIGINT, child UUID, parent UUID);"

#define RUNS_TABLE                                                                                 \
    "CREATE TABLE IF NOT EXISTS runs(batch BIGINT, id UUID, parent_job_id UUID, "                  \
    "root_run_id UUID, name VARCHAR, description VARCHAR, created_at TIMESTAMP, "                  \
    "completed_at TIMESTAMP, status UTINYINT, metadata VARCHAR, params VARCHAR, "                  \
    "trigger VARCHAR, scheduled_for TIMESTAMP, definition VARCHAR);"

static const char create_tables[] =
    "CREATE TABLE IF NOT EXISTS queuack_meta(key VARCHAR, value VARCHAR);"
    "CREATE TABLE IF NOT EXISTS journal_a(batch BIGINT, op UTINYINT, " JOB_ROW ");"
    "CREATE TABLE IF NOT EXISTS journal_b(batch BIGINT, op UTINYINT, " JOB_ROW ");"
    "CREATE TABLE IF NOT EXISTS history(batch BIGINT, " JOB_ROW ", state VARCHAR);"
    "CREATE TABLE IF NOT EXISTS attempts(batch BIGINT, id UUID, attempt INTEGER, worker VARCHAR, "
    "claimed_at TIMESTAMP, finished_at TIMESTAMP, outcome UTINYINT, error VARCHAR, "
    "exit_code INTEGER, log_tail VARCHAR);" EDGES_TABLE RUNS_TABLE;

/* upgrades[n] leads from schema n to n + 1. Schema 0 was the format before runs. */
static const char *const upgrades[QK__SCHEMA_VERSION] = {
    EDGES_TABLE RUNS_TABLE,
};

static const char *const tables[] = { "journal_a", "journal_b", "history", "attempts" };
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

/* One VARCHAR of a result, as a C string in `out`; false for NULL or none. */
static bool text_cell(char *out, size_t size, duckdb_data_chunk chunk, idx_t column, idx_t row)
{
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
    uint64_t *validity = duckdb_vector_get_validity(vector);
    if (validity && !duckdb_validity_row_is_valid(validity, row))
        return false;
    duckdb_string_t *text = (duckdb_string_t *)duckdb_vector_get_data(vector) + row;
    snprintf(out, size, "%.*s", (int)duckdb_string_t_length(*text), duckdb_string_t_data(text));
    return true;
}

typedef struct inventory {
    size_t relations; /* tables and views of any schema */
    bool meta, jobs_table;
    bool has[TABLE_COUNT];
} inventory;

static void count_relation(inventory *found, const char *name, const char *kind)
{
    found->relations++;
    bool table = strcmp(kind, "table") == 0;
    if (table && strcmp(name, "queuack_meta") == 0)
        found->meta = true;
    if (table && strcmp(name, "jobs") == 0)
        found->jobs_table = true;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table && strcmp(name, tables[i]) == 0)
            found->has[i] = true;
    }
}

/* Calls with the first two VARCHAR columns of every row. */
static qk_status each_pair(duckdb_connection connection, const char *sql,
                           void (*visit)(void *, const char *, const char *), void *user,
                           qk_error *err)
{
    duckdb_result result;
    qk_status rc = QK_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot read the file's tables",
                                duckdb_result_error_type(&result), duckdb_result_error(&result));
        duckdb_destroy_result(&result);
        return rc;
    }
    duckdb_data_chunk chunk;
    while ((chunk = duckdb_fetch_chunk(result)) != NULL) {
        idx_t rows = duckdb_data_chunk_get_size(chunk);
        for (idx_t row = 0; row < rows; row++) {
            char first[256] = "", second[256] = "";
            text_cell(first, sizeof(first), chunk, 0, row);
            text_cell(second, sizeof(second), chunk, 1, row);
            visit(user, first, second);
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

static void visit_relation(void *user, const char *name, const char *kind)
{
    count_relation(user, name, kind);
}

typedef struct meta {
    bool ours;
    int64_t version, views;
    char created_by[64];
} meta;

static void visit_meta(void *user, const char *key, const char *value)
{
    meta *m = user;
    if (strcmp(key, "format") == 0)
        m->ours = strcmp(value, "queuack") == 0;
    else if (strcmp(key, "schema") == 0)
        m->version = strtoll(value, NULL, 10);
    else if (strcmp(key, "views") == 0)
        m->views = strtoll(value, NULL, 10);
    else if (strcmp(key, "version") == 0)
        snprintf(m->created_by, sizeof(m->created_by), "%.60s", value);
}

static qk_status judge(qk__schema_state *out, const inventory *found, const meta *m,
                       const char *path, qk_error *err)
{
    if (!m->ours && m->version >= 0)
        return qk__error(err, QK_EREFUSED,
                         "%s is a DuckDB file of something else: name another file", path);
    if (m->version > QK__SCHEMA_VERSION)
        return qk__error(err, QK_EVERSION,
                         "%s has schema %" PRId64 " (made by Queuack %s), this is Queuack %s with "
                         "schema %d: use a newer Queuack",
                         path, m->version, m->created_by[0] ? m->created_by : "of a later version",
                         QK_VERSION_STRING, QK__SCHEMA_VERSION);
    for (size_t i = 0; m->version >= 0 && i < TABLE_COUNT; i++) {
        if (!found->has[i])
            return qk__error(err, QK_EDAMAGED, "%s lacks its table %s: restore it from a backup",
                             path, tables[i]);
    }
    out->version = m->version;
    out->views = m->views;
    return QK_OK;
}

qk_status qk__schema_inspect(qk__schema_state *out, duckdb_connection connection, const char *path,
                             qk_error *err)
{
    inventory found = { 0 };
    meta m = { .version = -1, .views = -1 };
    memset(out, 0, sizeof(*out));
    out->version = out->views = -1;
    qk_status rc = each_pair(connection,
                             "SELECT table_name, 'table' FROM duckdb_tables() WHERE NOT internal "
                             "UNION ALL "
                             "SELECT view_name, 'view' FROM duckdb_views() WHERE NOT internal",
                             visit_relation, &found, err);
    if (rc)
        return rc;
    if (found.meta) {
        rc = each_pair(connection, "SELECT key::VARCHAR, value::VARCHAR FROM main.queuack_meta",
                       visit_meta, &m, err);
        return rc ? rc : judge(out, &found, &m, path, err);
    }
    if (found.jobs_table)
        return qk__error(
            err, QK_EREFUSED,
            "%s is a file of the original Queuack (Python), which this one cannot use: "
            "name another file",
            path);
    if (found.relations)
        return qk__error(err, QK_EREFUSED,
                         "%s is a DuckDB file of something else: name another file", path);
    out->empty = true;
    return QK_OK;
}

/* The version last, in a transaction of its own. */
static qk_status write_version(duckdb_connection connection, int version, bool creating,
                               qk_error *err)
{
    char sql[512];
    const char *made_by =
        creating ? ", ('format', 'queuack'), ('version', '" QK_VERSION_STRING "')" : "";
    snprintf(sql, sizeof(sql),
             "BEGIN; DELETE FROM queuack_meta WHERE key IN ('schema', 'views'%s); "
             "INSERT INTO queuack_meta VALUES ('schema', '%d'), ('views', '%d')%s; COMMIT;",
             creating ? ", 'format', 'version'" : "", version, QK__VIEWS_VERSION, made_by);
    return qk__database_run(connection, sql, err);
}

static qk_status in_transaction(duckdb_connection connection, const char *sql, qk_error *err)
{
    qk_status rc = qk__database_run(connection, "BEGIN", err);
    if (rc)
        return rc;
    rc = qk__database_run(connection, sql, err);
    if (!rc)
        rc = qk__database_run(connection, "COMMIT", err);
    if (rc)
        qk__database_run(connection, "ROLLBACK", NULL);
    return rc;
}

static qk_status make_views(duckdb_connection connection, qk_error *err)
{
    qk_status rc = qk__database_run(connection, "BEGIN", err);
    if (rc)
        return rc;
    rc = qk__views_create(connection, NULL, err);
    if (!rc)
        rc = qk__database_run(connection, "COMMIT", err);
    if (rc)
        qk__database_run(connection, "ROLLBACK", NULL);
    return rc;
}

static qk_status upgrade(duckdb_connection connection, int64_t from, qk_error *err)
{
    for (int64_t n = from; n < QK__SCHEMA_VERSION; n++) {
        qk_status rc = in_transaction(connection, upgrades[n], err);
        if (!rc)
            rc = qk__database_run(connection, "CHECKPOINT", err);
        if (rc)
            return rc;
    }
    return QK_OK;
}

qk_status qk__schema_prepare(duckdb_connection connection, const qk__schema_state *state,
                             qk_error *err)
{
    bool creating = state->empty || state->version < 0;
    if (!creating && state->version == QK__SCHEMA_VERSION && state->views >= QK__VIEWS_VERSION)
        return QK_OK;
    qk_status rc = creating ? in_transaction(connection, create_tables, err)
                            : upgrade(connection, state->version, err);
    if (!rc)
        rc = make_views(connection, err);
    if (!rc)
        rc = qk__database_run(connection, "CHECKPOINT", err);
    if (!rc)
        rc = write_version(connection, QK__SCHEMA_VERSION, creating, err);
    if (!rc)
        rc = qk__database_run(connection, "CHECKPOINT", err);
    return rc;
}
