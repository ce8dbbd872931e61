/*
 * Rows into DuckDB: data chunks through an appender that stays open.
 *
 * Strings are handed over as pointers (the appender copies each chunk before it returns), so a row
 * costs no call. Runs on the writer's thread.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"

#include <string.h>

enum column {
    COL_BATCH,
    COL_OP,
    COL_ID,
    COL_SEQ,
    COL_RELATED,
    COL_NODE,
    COL_KIND,
    COL_QUEUE,
    COL_PRIORITY,
    COL_PAYLOAD,
    COL_CREATED,
    COL_STATUS,
    COL_EXECUTE_AFTER,
    COL_CLAIMED_AT,
    COL_CLAIMED_BY,
    COL_FINISHED_AT,
    COL_ATTEMPTS,
    COL_ATTEMPT,
    COL_RESULT,
    COL_ERROR,
    COL_EXIT_CODE,
    COL_LOG_TAIL,
    COL_EXT,
};

const char *journal_table(int which)
{
    return which == 0 ? "journal_a" : "journal_b";
}

static uint64_t big_endian(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return __builtin_bswap64(value);
}

/* DuckDB stores a UUID as a hugeint whose top bit is flipped, so that it sorts. */
static duckdb_hugeint uuid_of(qk_id id)
{
    return (duckdb_hugeint){ .lower = big_endian(id.bytes + 8),
                             .upper = (int64_t)(big_endian(id.bytes) ^ (1ull << 63)) };
}

static duckdb_string_t string_of(qk__text text)
{
    duckdb_string_t out;
    memset(&out, 0, sizeof out);
    out.value.inlined.length = text.length;
    if (text.length <= sizeof out.value.inlined.inlined) {
        if (text.length > 0) {
            memcpy(out.value.inlined.inlined, text.data, text.length);
        }
    } else {
        memcpy(out.value.pointer.prefix, text.data, sizeof out.value.pointer.prefix);
        out.value.pointer.ptr = (char *)(uintptr_t)text.data;
    }
    return out;
}

struct column_fill {
    void *data;
    uint64_t *validity; /* NULL until a NULL is stored */
    duckdb_vector vector;
};

static struct column_fill column_at(duckdb_data_chunk chunk, enum column column)
{
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, (idx_t)column);
    return (struct column_fill){ duckdb_vector_get_data(vector), NULL, vector };
}

static void set_null(struct column_fill *fill, size_t row)
{
    if (fill->validity == NULL) {
        duckdb_vector_ensure_validity_writable(fill->vector);
        fill->validity = duckdb_vector_get_validity(fill->vector);
    }
    fill->validity[row / 64] &= ~(1ull << (row % 64));
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in them */
#define FILL(column, type, value)                                                                  \
    do {                                                                                           \
        type *values = column_at(chunk, column).data;                                              \
        for (size_t i = 0; i < count; i++) {                                                       \
            values[i] = (type)(value);                                                             \
        }                                                                                          \
    } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

static void fill_text(duckdb_data_chunk chunk, enum column column, const qk__row *rows,
                      size_t count, size_t offset)
{
    struct column_fill fill = column_at(chunk, column);
    duckdb_string_t *values = fill.data;
    for (size_t i = 0; i < count; i++) {
        const qk__text *text = (const void *)((const char *)&rows[i] + offset);
        if (text->data == NULL) {
            set_null(&fill, i);
        } else {
            values[i] = string_of(*text);
        }
    }
}

static void fill_time(duckdb_data_chunk chunk, enum column column, const qk__row *rows,
                      size_t count, size_t offset)
{
    struct column_fill fill = column_at(chunk, column);
    int64_t *values = fill.data;
    for (size_t i = 0; i < count; i++) {
        memcpy(&values[i], (const char *)&rows[i] + offset, sizeof values[i]);
        if (values[i] == 0) {
            set_null(&fill, i);
        }
    }
}

static void fill_ids(duckdb_data_chunk chunk, const qk__row *rows, size_t count)
{
    struct column_fill related = column_at(chunk, COL_RELATED);
    duckdb_hugeint *values = related.data;
    FILL(COL_ID, duckdb_hugeint, uuid_of(rows[i].id));
    for (size_t i = 0; i < count; i++) {
        if (qk_id_is_none(rows[i].related)) {
            set_null(&related, i);
        } else {
            values[i] = uuid_of(rows[i].related);
        }
    }
}

static void fill_exit_code(duckdb_data_chunk chunk, const qk__row *rows, size_t count)
{
    struct column_fill fill = column_at(chunk, COL_EXIT_CODE);
    int32_t *values = fill.data;
    for (size_t i = 0; i < count; i++) {
        values[i] = rows[i].exit_code;
        if (!rows[i].has_exit_code) {
            set_null(&fill, i);
        }
    }
}

static void fill_chunk(duckdb_data_chunk chunk, const qk__row *rows, size_t count, uint64_t batch)
{
    duckdb_data_chunk_reset(chunk);
    FILL(COL_BATCH, int64_t, batch);
    FILL(COL_OP, uint8_t, rows[i].op);
    FILL(COL_SEQ, int64_t, rows[i].seq);
    FILL(COL_PRIORITY, uint8_t, rows[i].priority);
    FILL(COL_STATUS, uint8_t, rows[i].status);
    FILL(COL_ATTEMPTS, int32_t, rows[i].attempts);
    FILL(COL_ATTEMPT, int32_t, rows[i].attempt);
    fill_ids(chunk, rows, count);
    fill_exit_code(chunk, rows, count);
    fill_text(chunk, COL_NODE, rows, count, offsetof(qk__row, node));
    fill_text(chunk, COL_KIND, rows, count, offsetof(qk__row, kind));
    fill_text(chunk, COL_QUEUE, rows, count, offsetof(qk__row, queue));
    fill_text(chunk, COL_PAYLOAD, rows, count, offsetof(qk__row, payload));
    fill_text(chunk, COL_CLAIMED_BY, rows, count, offsetof(qk__row, claimed_by));
    fill_text(chunk, COL_RESULT, rows, count, offsetof(qk__row, result));
    fill_text(chunk, COL_ERROR, rows, count, offsetof(qk__row, error));
    fill_text(chunk, COL_LOG_TAIL, rows, count, offsetof(qk__row, log_tail));
    fill_text(chunk, COL_EXT, rows, count, offsetof(qk__row, ext));
    fill_time(chunk, COL_CREATED, rows, count, offsetof(qk__row, created_us));
    fill_time(chunk, COL_EXECUTE_AFTER, rows, count, offsetof(qk__row, execute_after_us));
    fill_time(chunk, COL_CLAIMED_AT, rows, count, offsetof(qk__row, claimed_us));
    fill_time(chunk, COL_FINISHED_AT, rows, count, offsetof(qk__row, finished_us));
    duckdb_data_chunk_set_size(chunk, count);
}

static uint64_t row_bytes(const qk__row *row)
{
    return 100 + row->payload.length + row->result.length + row->error.length +
           row->log_tail.length + row->ext.length;
}

qk_status journal_appender_open(struct duckdb_journal *journal, qk_error *err)
{
    if (journal->appender != NULL) {
        return QK_OK;
    }
    const char *table = journal_table(journal->active);
    if (duckdb_appender_create(journal->writer, NULL, table, &journal->appender) == DuckDBSuccess) {
        return QK_OK;
    }
    qk_status rc = qk__database_error(err, "cannot append to the journal", DUCKDB_ERROR_IO,
                                      duckdb_appender_error(journal->appender));
    journal_appender_drop(journal);
    return rc;
}

void journal_appender_drop(struct duckdb_journal *journal)
{
    if (journal->appender != NULL) {
        (void)duckdb_appender_clear(journal->appender); /* destroy would flush what is left */
        (void)duckdb_appender_destroy(&journal->appender);
        journal->appender = NULL;
    }
}

qk_status journal_append(struct duckdb_journal *journal, const qk__row *rows, size_t count,
                         uint64_t batch, qk_error *err)
{
    size_t step = duckdb_vector_size();
    qk_status rc = journal_appender_open(journal, err);
    for (size_t at = 0; rc == QK_OK && at < count; at += step) {
        size_t part = count - at < step ? count - at : step;
        fill_chunk(journal->chunk, rows + at, part, batch);
        if (duckdb_append_data_chunk(journal->appender, journal->chunk) != DuckDBSuccess) {
            rc = qk__database_error(err, "cannot append to the journal", DUCKDB_ERROR_IO,
                                    duckdb_appender_error(journal->appender));
        }
    }
    if (rc == QK_OK && duckdb_appender_flush(journal->appender) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot write the journal", DUCKDB_ERROR_IO,
                                duckdb_appender_error(journal->appender));
    }
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        journal->bytes[journal->active] += row_bytes(&rows[i]);
    }
    return rc;
}
