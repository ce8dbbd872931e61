/*
 * The live rows as a DuckDB table function; see live_table.h.
 *
 * Runs on the thread of the query that reads it (threads=1). It only copies from a row set that
 * belongs to that query; it takes no lock and never calls the engine or the writer. Columns that a
 * query does not use are not copied (projection pushdown).
 */
#include "store/embedded/live_table.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "store/embedded/row_set.h"
#include "util/error.h"

typedef enum cell {
    CELL_U8,
    CELL_I32,
    CELL_I64,
    CELL_ID,
    CELL_TIME, /* 0: NULL */
    CELL_TEXT,
    CELL_EXIT_CODE,
} cell;

typedef struct column {
    const char *name;
    cell kind;
    size_t offset;
} column;

#define COLUMN(name, kind, member)                                                                 \
    {                                                                                              \
        name, kind, offsetof(qk__row, member)                                                      \
    }

static const column columns[] = {
    COLUMN("op", CELL_U8, op),
    COLUMN("id", CELL_ID, id),
    COLUMN("seq", CELL_I64, seq),
    COLUMN("related", CELL_ID, related),
    COLUMN("node", CELL_TEXT, node),
    COLUMN("kind", CELL_TEXT, kind),
    COLUMN("queue", CELL_TEXT, queue),
    COLUMN("priority", CELL_U8, priority),
    COLUMN("payload", CELL_TEXT, payload),
    COLUMN("created_at", CELL_TIME, created_us),
    COLUMN("status", CELL_U8, status),
    COLUMN("execute_after", CELL_TIME, execute_after_us),
    COLUMN("claimed_at", CELL_TIME, claimed_us),
    COLUMN("claimed_by", CELL_TEXT, claimed_by),
    COLUMN("finished_at", CELL_TIME, finished_us),
    COLUMN("attempts", CELL_I32, attempts),
    COLUMN("attempt", CELL_I32, attempt),
    COLUMN("result", CELL_TEXT, result),
    COLUMN("error", CELL_TEXT, error),
    COLUMN("exit_code", CELL_EXIT_CODE, exit_code),
    COLUMN("log_tail", CELL_TEXT, log_tail),
    COLUMN("ext", CELL_TEXT, ext),
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

typedef struct cursor {
    size_t at;
    size_t used; /* columns asked for */
    uint8_t which[COLUMN_COUNT];
} cursor;

static duckdb_type type_of(cell kind)
{
    static const duckdb_type types[] = {
        [CELL_U8] = DUCKDB_TYPE_UTINYINT,       [CELL_I32] = DUCKDB_TYPE_INTEGER,
        [CELL_I64] = DUCKDB_TYPE_BIGINT,        [CELL_ID] = DUCKDB_TYPE_UUID,
        [CELL_TIME] = DUCKDB_TYPE_TIMESTAMP,    [CELL_TEXT] = DUCKDB_TYPE_VARCHAR,
        [CELL_EXIT_CODE] = DUCKDB_TYPE_INTEGER,
    };
    return types[kind];
}

static const qk__row_set *rows_of(void *extra)
{
    const qk__row_set *const *source = extra;
    return *source;
}

static void bind(duckdb_bind_info info)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        duckdb_logical_type type = duckdb_create_logical_type(type_of(columns[i].kind));
        duckdb_bind_add_result_column(info, columns[i].name, type);
        duckdb_destroy_logical_type(&type);
    }
    const qk__row_set *rows = rows_of(duckdb_bind_get_extra_info(info));
    duckdb_bind_set_cardinality(info, rows ? rows->count : 0, false);
}

static void init(duckdb_init_info info)
{
    cursor *at = duckdb_malloc(sizeof(*at));
    if (!at) {
        duckdb_init_set_error(info, "out of memory");
        return;
    }
    memset(at, 0, sizeof(*at));
    at->used = duckdb_init_get_column_count(info);
    if (at->used > COLUMN_COUNT)
        at->used = COLUMN_COUNT;
    for (size_t i = 0; i < at->used; i++) {
        idx_t index = duckdb_init_get_column_index(info, i);
        at->which[i] =
            index < COLUMN_COUNT ? (uint8_t)index : 0; /* count(*) may ask for a row id */
    }
    duckdb_init_set_init_data(info, at, duckdb_free);
    duckdb_init_set_max_threads(info, 1);
}

/* Fills one value; false: it is NULL. */
static bool fill(duckdb_vector vector, void *data, size_t row, const column *c, const char *base)
{
    const char *value = base + c->offset;
    switch (c->kind) {
    case CELL_U8:
        ((uint8_t *)data)[row] = *(const uint8_t *)value;
        return true;
    case CELL_I32:
        memcpy((int32_t *)data + row, value, sizeof(int32_t));
        return true;
    case CELL_I64:
        memcpy((int64_t *)data + row, value, sizeof(int64_t));
        return true;
    case CELL_ID:
        return qk__id_to_duckdb((duckdb_hugeint *)data + row, *(const qk_id *)(const void *)value);
    case CELL_TIME:
        memcpy((int64_t *)data + row, value, sizeof(int64_t));
        return ((int64_t *)data)[row] != 0;
    case CELL_TEXT: {
        const qk__text *text = (const qk__text *)(const void *)value;
        if (text->data)
            duckdb_vector_assign_string_element_len(vector, row, text->data, text->length);
        return text->data != NULL;
    }
    case CELL_EXIT_CODE:
        memcpy((int32_t *)data + row, value, sizeof(int32_t));
        return ((const qk__row *)(const void *)base)->has_exit_code;
    }
    return false;
}

static void fill_column(duckdb_vector vector, const column *c, const qk__row *rows, size_t count)
{
    void *data = duckdb_vector_get_data(vector);
    uint64_t *validity = NULL;
    for (size_t row = 0; row < count; row++) {
        if (fill(vector, data, row, c, (const char *)&rows[row]))
            continue;
        if (!validity) {
            duckdb_vector_ensure_validity_writable(vector);
            validity = duckdb_vector_get_validity(vector);
        }
        duckdb_validity_set_row_invalid(validity, row);
    }
}

static void scan(duckdb_function_info info, duckdb_data_chunk output)
{
    cursor *at = duckdb_function_get_init_data(info);
    const qk__row_set *rows = rows_of(duckdb_function_get_extra_info(info));
    size_t left = rows && at->at < rows->count ? rows->count - at->at : 0;
    size_t count = left < duckdb_vector_size() ? left : duckdb_vector_size();
    for (size_t i = 0; i < at->used && count; i++)
        fill_column(duckdb_data_chunk_get_vector(output, i), &columns[at->which[i]],
                    rows->rows + at->at, count);
    at->at += count;
    duckdb_data_chunk_set_size(output, count);
}

qk_status qk__live_table_register(char *name, size_t size, duckdb_connection connection,
                                  const qk__row_set *const *source, qk_error *err)
{
    static atomic_uint counter;
    snprintf(name, size, "qk_live_%u", atomic_fetch_add(&counter, 1));
    duckdb_table_function function = duckdb_create_table_function();
    if (!function)
        return qk__error(err, QK_ENOMEM, "out of memory");
    duckdb_table_function_set_name(function, name);
    duckdb_table_function_set_extra_info(function, (void *)(uintptr_t)source, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, init);
    duckdb_table_function_set_function(function, scan);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess)
        return qk__error(err, QK_EINTERNAL, "cannot register %s with DuckDB", name);
    return QK_OK;
}
