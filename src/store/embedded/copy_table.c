/*
 * Moving the rows of one table in slices; see copy.h.
 *
 * A slice is a range of row ids, read in one query whose result is in memory, so slices are small
 * where rows may be large. A slice that cannot be read is tried again in pieces of one vector (2,048
 * rows), the unit below which DuckDB does not read.
 */
#include "store/embedded/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/embedded/database.h"
#include "store/embedded/journal_duckdb.h"
#include "util/error.h"

#define VECTOR_ROWS 2048
#define SLICE_ROWS (VECTOR_ROWS * 10)

const char *const qk__table_names[] = {
    "journal_a", "journal_b", "history", "attempts", "edges", "runs", NULL,
};

typedef struct slicer {
    duckdb_connection from;
    duckdb_appender appender; /* NULL: only reading */
    const char *table;
    bool salvage;
    qk__row_progress *progress;
    qk__table_rows *out;
    qk_error *err;
} slicer;

static qk_status number(duckdb_connection from, const char *sql, int64_t *out, qk_error *err)
{
    duckdb_result result;
    qk_status rc = QK_OK;
    if (duckdb_query(from, sql, &result) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot read the store", duckdb_result_error_type(&result),
                                duckdb_result_error(&result));
    } else {
        *out = duckdb_value_int64(&result, 0, 0);
    }
    duckdb_destroy_result(&result);
    return rc;
}

uint64_t qk__table_count(duckdb_connection from, const char *table)
{
    char sql[128];
    int64_t count = 0;
    qk_error ignored = QK_ERROR_INIT;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM main.%s", table);
    return number(from, sql, &count, &ignored) == QK_OK && count > 0 ? (uint64_t)count : 0;
}

static qk_status append(slicer *s, duckdb_data_chunk chunk)
{
    if (s->appender != NULL && duckdb_append_data_chunk(s->appender, chunk) != DuckDBSuccess) {
        return qk__database_error(s->err, "cannot write the copy", DUCKDB_ERROR_IO,
                                  duckdb_appender_error(s->appender));
    }
    return QK_OK;
}

/* *unreadable: the rows, as opposed to the copy, are at fault. */
static qk_status one_slice(slicer *s, int64_t first, int64_t count, bool *unreadable)
{
    char sql[192];
    duckdb_result result;
    duckdb_data_chunk chunk;
    qk_status rc = QK_OK;
    *unreadable = false;
    snprintf(sql, sizeof sql,
             "SELECT * FROM main.%s WHERE rowid >= %" PRId64 " AND rowid < %" PRId64, s->table,
             first, first + count);
    if (duckdb_query(s->from, sql, &result) != DuckDBSuccess) {
        rc = qk__database_error(s->err, "cannot read the store", duckdb_result_error_type(&result),
                                duckdb_result_error(&result));
        *unreadable = rc != QK_ENOMEM && rc != QK_EFULL && rc != QK_EINTERRUPTED;
    }
    while (rc == QK_OK && (chunk = duckdb_fetch_chunk(result)) != NULL) {
        uint64_t rows = duckdb_data_chunk_get_size(chunk);
        rc = append(s, chunk);
        s->out->read += rc == QK_OK ? rows : 0;
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

/* After a failure: vector by vector, what cannot be read is counted. */
static qk_status salvage_slice(slicer *s, int64_t first, int64_t count)
{
    qk_status rc = QK_OK;
    for (int64_t at = first; rc == QK_OK && at < first + count; at += VECTOR_ROWS) {
        bool unreadable = false;
        int64_t rows = first + count - at < VECTOR_ROWS ? first + count - at : VECTOR_ROWS;
        qk_error why = QK_ERROR_INIT;
        qk_error *outer = s->err;
        s->err = &why;
        rc = one_slice(s, at, rows, &unreadable);
        s->err = outer;
        if (rc != QK_OK && unreadable) {
            s->out->lost += (uint64_t)rows;
            if (s->out->error[0] == '\0') {
                snprintf(s->out->error, sizeof s->out->error, "%.250s", why.message);
            }
            rc = QK_OK;
        } else if (rc != QK_OK && outer != NULL) {
            *outer = why;
        }
    }
    return rc;
}

static qk_status tell(qk__row_progress *progress, uint64_t done, qk_error *err)
{
    if (progress->stopped != NULL && progress->stopped(progress->store)) {
        return qk__error(err, QK_ECLOSED, "the store is being closed");
    }
    if (progress->fn != NULL && !progress->fn(progress->user, done, progress->total)) {
        return qk__error(err, QK_EINTERRUPTED, "interrupted");
    }
    return QK_OK;
}

static qk_status all_slices(slicer *s)
{
    char sql[128];
    int64_t last = -1;
    qk_error why = QK_ERROR_INIT;
    snprintf(sql, sizeof sql, "SELECT coalesce(max(rowid), -1) FROM main.%s", s->table);
    qk_status rc = number(s->from, sql, &last, &why);
    if (rc != QK_OK && !s->salvage) {
        return qk__error(s->err, rc, "%s", why.message);
    }
    if (rc != QK_OK) { /* not even its row numbers */
        s->out->lost = qk__table_count(s->from, s->table);
        s->out->lost += s->out->lost == 0;
        snprintf(s->out->error, sizeof s->out->error, "%.250s", why.message);
        return QK_OK;
    }
    rc = QK_OK;
    for (int64_t first = 0; rc == QK_OK && first <= last; first += SLICE_ROWS) {
        bool unreadable = false;
        rc = tell(s->progress, s->progress->done + s->out->read + s->out->lost, s->err);
        if (rc == QK_OK) {
            rc = one_slice(s, first, SLICE_ROWS, &unreadable);
        }
        if (unreadable && s->salvage) {
            rc = salvage_slice(s, first,
                               last + 1 - first < SLICE_ROWS ? last + 1 - first : SLICE_ROWS);
        }
    }
    return rc;
}

qk_status qk__table_copy(duckdb_connection from, duckdb_connection to, const char *table,
                         bool salvage, qk__row_progress *progress, qk__table_rows *out,
                         qk_error *err)
{
    memset(out, 0, sizeof *out);
    // cppcheck-suppress ctuuninitvar ; it does not see the memset
    slicer s = { from, NULL, table, salvage, progress, out, err };
    qk_status rc = QK_OK;
    if (to != NULL && duckdb_appender_create(to, NULL, table, &s.appender) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot write the copy", DUCKDB_ERROR_IO,
                                duckdb_appender_error(s.appender));
    }
    if (rc == QK_OK) {
        rc = all_slices(&s);
    }
    if (rc == QK_OK && s.appender != NULL && duckdb_appender_flush(s.appender) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot write the copy", DUCKDB_ERROR_IO,
                                duckdb_appender_error(s.appender));
    }
    if (s.appender != NULL) {
        if (rc != QK_OK) {
            (void)duckdb_appender_clear(s.appender); /* destroy would flush what is left */
        }
        (void)duckdb_appender_destroy(&s.appender);
    }
    progress->done += out->read + out->lost;
    return rc;
}
