/*
 * Reading the journal back: rows of both tables in batch order, as the engine wants them.
 *
 * The inactive table holds the older batches, and a table keeps the order in which it was filled,
 * so that nothing has to be sorted.
 */
#include "store/embedded/journal_duckdb.h"

#include "store/embedded/database.h"

#include <stdio.h>
#include <string.h>

struct column_view {
    void *data;
    uint64_t *validity;
};

static bool is_null(const struct column_view *column, size_t row)
{
    return column->validity != NULL && (column->validity[row / 64] >> (row % 64) & 1) == 0;
}

static qk__text text_at(const struct column_view *column, size_t row)
{
    if (is_null(column, row)) {
        return (qk__text){ NULL, 0 };
    }
    duckdb_string_t *value = &((duckdb_string_t *)column->data)[row];
    return (qk__text){ duckdb_string_is_inlined(*value) ? value->value.inlined.inlined
                                                        : value->value.pointer.ptr,
                       value->value.inlined.length };
}

static int64_t number_at(const struct column_view *column, size_t row)
{
    return is_null(column, row) ? 0 : ((int64_t *)column->data)[row];
}

static qk_id id_at(const struct column_view *column, size_t row)
{
    qk_id id = { { 0 } };
    if (!is_null(column, row)) {
        duckdb_hugeint value = ((duckdb_hugeint *)column->data)[row];
        uint64_t high = __builtin_bswap64((uint64_t)value.upper ^ (1ull << 63));
        uint64_t low = __builtin_bswap64(value.lower);
        memcpy(id.bytes, &high, 8);
        memcpy(id.bytes + 8, &low, 8);
    }
    return id;
}

static void read_row(qk__row *row, const struct column_view *c, size_t i)
{
    *row = (qk__row){ .op = ((uint8_t *)c[1].data)[i],
                      .id = id_at(&c[2], i),
                      .seq = (uint64_t)number_at(&c[3], i),
                      .related = id_at(&c[4], i),
                      .node = text_at(&c[5], i),
                      .kind = text_at(&c[6], i),
                      .queue = text_at(&c[7], i),
                      .priority = ((uint8_t *)c[8].data)[i],
                      .payload = text_at(&c[9], i),
                      .created_us = number_at(&c[10], i),
                      .status = ((uint8_t *)c[11].data)[i],
                      .execute_after_us = number_at(&c[12], i),
                      .claimed_us = number_at(&c[13], i),
                      .claimed_by = text_at(&c[14], i),
                      .finished_us = number_at(&c[15], i),
                      .attempts = ((int32_t *)c[16].data)[i],
                      .attempt = ((int32_t *)c[17].data)[i],
                      .result = text_at(&c[18], i),
                      .error = text_at(&c[19], i),
                      .has_exit_code = !is_null(&c[20], i),
                      .exit_code = is_null(&c[20], i) ? 0 : ((int32_t *)c[20].data)[i],
                      .log_tail = text_at(&c[21], i),
                      .ext = text_at(&c[22], i) };
}

static qk_status visit_chunk(duckdb_data_chunk chunk, qk__journal_visit_fn visit, void *user)
{
    struct column_view columns[JOURNAL_COLUMNS];
    qk_status rc = QK_OK;
    idx_t count = duckdb_data_chunk_get_size(chunk);
    for (idx_t i = 0; i < JOURNAL_COLUMNS; i++) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, i);
        columns[i].data = duckdb_vector_get_data(vector);
        columns[i].validity = duckdb_vector_get_validity(vector);
    }
    for (idx_t i = 0; rc == QK_OK && i < count; i++) {
        qk__row row;
        read_row(&row, columns, i);
        rc = visit(user, &row, (uint64_t)number_at(&columns[0], i));
    }
    return rc;
}

static qk_status replay_table(struct duckdb_journal *journal, int which, qk__journal_visit_fn visit,
                              void *user, qk_error *err)
{
    char sql[128];
    duckdb_result result;
    qk_status rc = QK_OK;
    snprintf(sql, sizeof sql, "SELECT * FROM %s WHERE op NOT IN (2, 3)", journal_table(which));
    if (duckdb_query(journal->writer, sql, &result) != DuckDBSuccess) {
        rc = qk__database_error(err, "cannot read the journal", duckdb_result_error_type(&result),
                                duckdb_result_error(&result));
    }
    while (rc == QK_OK) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk == NULL) {
            break;
        }
        rc = visit_chunk(chunk, visit, user);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    return rc;
}

qk_status journal_replay(qk__journal *base, qk__journal_visit_fn visit, void *user, qk_error *err)
{
    struct duckdb_journal *journal = (struct duckdb_journal *)base;
    qk_status rc = replay_table(journal, !journal->active, visit, user, err);
    return rc == QK_OK ? replay_table(journal, journal->active, visit, user, err) : rc;
}
