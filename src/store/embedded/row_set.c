/*
 * DuckDB results as rows; see row_set.h. No state; any thread.
 *
 * The text of all rows lies in one block. While it grows, qk__text.data holds offset + 1 instead of
 * a pointer; settle() turns them into pointers at the end.
 */
#include "store/embedded/row_set.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/buffer.h"
#include "util/error.h"

typedef struct field {
    const char *name;
    duckdb_type type;
    size_t offset;
} field;

#define FIELD(name, type, member)                                                                  \
    {                                                                                              \
        name, DUCKDB_TYPE_##type, offsetof(qk__row, member)                                        \
    }

static const field fields[] = {
    FIELD("op", UTINYINT, op),
    FIELD("id", UUID, id),
    FIELD("seq", BIGINT, seq),
    FIELD("related", UUID, related),
    FIELD("node", VARCHAR, node),
    FIELD("kind", VARCHAR, kind),
    FIELD("queue", VARCHAR, queue),
    FIELD("priority", UTINYINT, priority),
    FIELD("payload", VARCHAR, payload),
    FIELD("created_at", TIMESTAMP, created_us),
    FIELD("status", UTINYINT, status),
    FIELD("execute_after", TIMESTAMP, execute_after_us),
    FIELD("claimed_at", TIMESTAMP, claimed_us),
    FIELD("claimed_by", VARCHAR, claimed_by),
    FIELD("finished_at", TIMESTAMP, finished_us),
    FIELD("attempts", INTEGER, attempts),
    FIELD("attempt", INTEGER, attempt),
    FIELD("result", VARCHAR, result),
    FIELD("error", VARCHAR, error),
    FIELD("exit_code", INTEGER, exit_code),
    FIELD("log_tail", VARCHAR, log_tail),
    FIELD("ext", VARCHAR, ext),
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
#define COLUMNS_MAX 32

void qk__row_set_dispose(qk__row_set *set)
{
    free(set->rows);
    free(set->memory);
    memset(set, 0, sizeof(*set));
}

bool qk__id_to_duckdb(duckdb_hugeint *out, qk_id id)
{
    uint64_t upper = 0, lower = 0;
    for (int i = 0; i < 8; i++) {
        upper = upper << 8 | id.bytes[i];
        lower = lower << 8 | id.bytes[i + 8];
    }
    out->upper = (int64_t)(upper ^ (UINT64_C(1) << 63));
    out->lower = lower;
    return upper || lower;
}

qk_id qk__id_from_duckdb(duckdb_hugeint value)
{
    qk_id id;
    uint64_t upper = (uint64_t)value.upper ^ (UINT64_C(1) << 63), lower = value.lower;
    for (int i = 7; i >= 0; i--, upper >>= 8, lower >>= 8) {
        id.bytes[i] = (uint8_t)upper;
        id.bytes[i + 8] = (uint8_t)lower;
    }
    return id;
}

static bool read_text(char *to, const duckdb_string_t *from, qk__buffer *memory)
{
    duckdb_string_t string = *from;
    qk__text text = { (const char *)(memory->length + 1), duckdb_string_t_length(string) };
    memcpy(to, &text, sizeof(text));
    /* Inlined strings live in the vector's own element, hence &… of it and not of the copy. */
    return qk__buffer_append(memory, duckdb_string_t_data((duckdb_string_t *)(uintptr_t)from),
                             text.length);
}

static bool read_cell(qk__row *row, const field *f, const void *data, idx_t at, qk__buffer *memory)
{
    char *to = (char *)row + f->offset;
    switch (f->type) {
    case DUCKDB_TYPE_UTINYINT:
        *(uint8_t *)to = ((const uint8_t *)data)[at];
        return true;
    case DUCKDB_TYPE_INTEGER:
        memcpy(to, (const int32_t *)data + at, sizeof(int32_t));
        if (f->offset == offsetof(qk__row, exit_code))
            row->has_exit_code = true;
        return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
        memcpy(to, (const int64_t *)data + at, sizeof(int64_t));
        return true;
    case DUCKDB_TYPE_UUID: {
        qk_id id = qk__id_from_duckdb(((const duckdb_hugeint *)data)[at]);
        memcpy(to, &id, sizeof(id));
        return true;
    }
    default:
        return read_text(to, (const duckdb_string_t *)data + at, memory);
    }
}

static bool read_column(qk__row *rows, size_t count, const field *f, duckdb_vector vector,
                        qk__buffer *memory)
{
    const void *data = duckdb_vector_get_data(vector);
    uint64_t *validity = duckdb_vector_get_validity(vector);
    for (size_t i = 0; i < count; i++) {
        if (validity && !duckdb_validity_row_is_valid(validity, i))
            continue;
        if (!read_cell(&rows[i], f, data, i, memory))
            return false;
    }
    return true;
}

static void settle(qk__row_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        for (size_t f = 0; f < FIELD_COUNT; f++) {
            if (fields[f].type != DUCKDB_TYPE_VARCHAR)
                continue;
            qk__text *text = (qk__text *)(void *)((char *)&set->rows[i] + fields[f].offset);
            if (text->data)
                text->data = (const char *)set->memory + ((uintptr_t)text->data - 1);
        }
    }
}

/* Which field each column fills; FIELD_COUNT: none. */
static size_t map_columns(size_t map[COLUMNS_MAX], duckdb_result *result)
{
    size_t columns = duckdb_column_count(result);
    if (columns > COLUMNS_MAX)
        columns = COLUMNS_MAX;
    for (size_t c = 0; c < columns; c++) {
        const char *name = duckdb_column_name(result, c);
        map[c] = 0;
        while (map[c] < FIELD_COUNT && (strcmp(fields[map[c]].name, name) != 0 ||
                                        fields[map[c]].type != duckdb_column_type(result, c)))
            map[c]++;
    }
    return columns;
}

static bool read_chunk(qk__row_set *set, duckdb_data_chunk chunk, const size_t *map, size_t columns,
                       qk__buffer *memory)
{
    size_t count = duckdb_data_chunk_get_size(chunk);
    if (!count)
        return true;
    qk__row *rows = realloc(set->rows, (set->count + count) * sizeof(*rows));
    if (!rows)
        return false;
    set->rows = rows;
    memset(rows + set->count, 0, count * sizeof(*rows));
    for (size_t c = 0; c < columns; c++) {
        if (map[c] < FIELD_COUNT && !read_column(rows + set->count, count, &fields[map[c]],
                                                 duckdb_data_chunk_get_vector(chunk, c), memory))
            return false;
    }
    set->count += count;
    return true;
}

qk_status qk__row_set_read(qk__row_set *out, duckdb_result *result, qk_error *err)
{
    qk__row_set set = { NULL, 0, NULL };
    size_t map[COLUMNS_MAX];
    size_t columns = map_columns(map, result);
    bool good = true;
    qk__buffer memory;
    duckdb_data_chunk chunk;
    qk__buffer_init(&memory, SIZE_MAX / 2);
    while (good && (chunk = duckdb_fetch_chunk(*result)) != NULL) {
        good = read_chunk(&set, chunk, map, columns, &memory);
        duckdb_destroy_data_chunk(&chunk);
    }
    /* So that an empty text of the only row has an address, too. */
    good = good && qk__buffer_append(&memory, "", 1);
    set.memory = good ? qk__buffer_take(&memory) : NULL;
    qk__buffer_dispose(&memory);
    if (!set.memory) {
        qk__row_set_dispose(&set);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    settle(&set);
    *out = set;
    return QK_OK;
}
