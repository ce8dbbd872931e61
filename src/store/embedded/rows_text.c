/*
 * DuckDB values as text; see rows_text.h. No state; any thread.
 *
 * A value is written plain, or as JSON when it lies within a list, struct or map.
 *
 * long file: one writer per column type of DuckDB.
 */
#include "store/embedded/rows_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/embedded/row_set.h"

typedef struct value {
    qk__buffer *out;
    duckdb_vector vector;
    duckdb_logical_type type;
    const void *data;
    idx_t row;
    bool json;
    bool null; /* set when it has no text: not a finite number */
} value;

static void write_value(value *v);

static bool is_json(duckdb_logical_type type)
{
    char *alias = duckdb_logical_type_get_alias(type);
    bool json = alias && strcmp(alias, "JSON") == 0;
    duckdb_free(alias);
    return json;
}

/* long: one case per type of DuckDB */
bool qk__rows_column_type(qk_column_type *out, duckdb_logical_type type)
{
    switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_BOOLEAN:
        *out = QK_COLUMN_BOOL;
        return true;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL:
        *out = QK_COLUMN_NUMBER;
        return true;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        *out = QK_COLUMN_TIME;
        return true;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_STRUCT:
    case DUCKDB_TYPE_MAP:
        *out = QK_COLUMN_JSON;
        return true;
    case DUCKDB_TYPE_VARCHAR:
        *out = is_json(type) ? QK_COLUMN_JSON : QK_COLUMN_TEXT;
        return true;
    case DUCKDB_TYPE_UUID:
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIME:
    case DUCKDB_TYPE_INTERVAL:
    case DUCKDB_TYPE_ENUM:
    case DUCKDB_TYPE_SQLNULL:
        *out = QK_COLUMN_TEXT;
        return true;
    default:
        return false;
    }
}

/* Text that needs quotes within JSON. */
static void write_text(value *v, const char *text, size_t length)
{
    if (v->json)
        qk__buffer_json_string(v->out, text, length);
    else
        qk__buffer_append(v->out, text, length);
}

static void write_string(value *v)
{
    duckdb_string_t *string = (duckdb_string_t *)(uintptr_t)v->data + v->row;
    const char *text = duckdb_string_t_data(string);
    uint32_t length = duckdb_string_t_length(*string);
    if (v->json && is_json(v->type))
        qk__buffer_append(v->out, text, length);
    else
        write_text(v, text, length);
}

static void write_u128(qk__buffer *out, unsigned __int128 number, unsigned scale)
{
    char digits[48];
    size_t at = sizeof(digits);
    unsigned written = 0;
    do {
        if (scale && written == scale)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(number % 10));
        number /= 10;
        written++;
    } while (number || written <= scale);
    qk__buffer_append(out, digits + at, sizeof(digits) - at);
}

static void write_i128(qk__buffer *out, __int128 number, unsigned scale)
{
    if (number < 0)
        qk__buffer_append(out, "-", 1);
    write_u128(out, number < 0 ? -(unsigned __int128)number : (unsigned __int128)number, scale);
}

static __int128 to_i128(duckdb_hugeint number)
{
    return (__int128)((unsigned __int128)(uint64_t)number.upper << 64 | number.lower);
}

static void write_decimal(value *v)
{
    unsigned scale = duckdb_decimal_scale(v->type);
    __int128 number;
    switch (duckdb_decimal_internal_type(v->type)) {
    case DUCKDB_TYPE_SMALLINT:
        number = ((const int16_t *)v->data)[v->row];
        break;
    case DUCKDB_TYPE_INTEGER:
        number = ((const int32_t *)v->data)[v->row];
        break;
    case DUCKDB_TYPE_BIGINT:
        number = ((const int64_t *)v->data)[v->row];
        break;
    default:
        number = to_i128(((const duckdb_hugeint *)v->data)[v->row]);
    }
    write_i128(v->out, number, scale);
}

/* The shortest of two precisions that reads back as the same number. */
static void write_double(value *v, double number, int few, int many)
{
    char text[40];
    if (!isfinite(number)) {
        v->null = true;
        return;
    }
    snprintf(text, sizeof(text), "%.*g", few, number);
    double back = few == 6 ? (double)strtof(text, NULL) : strtod(text, NULL);
    if (back != number)
        snprintf(text, sizeof(text), "%.*g", many, number);
    qk__buffer_text(v->out, text);
}

static void write_time_text(value *v, const char *text)
{
    write_text(v, text, strlen(text));
}

static void write_timestamp(value *v, int64_t us)
{
    char text[64], fraction[16] = "";
    int64_t seconds = us / 1000000 - (us % 1000000 < 0), rest = us - seconds * 1000000;
    struct tm parts;
    time_t time = (time_t)seconds;
    if (us == INT64_MAX || us == -INT64_MAX || !gmtime_r(&time, &parts)) {
        write_time_text(v, us < 0 ? "-infinity" : "infinity");
        return;
    }
    if (rest)
        snprintf(fraction, sizeof(fraction), ".%06d", (int)rest);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%sZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, fraction);
    write_time_text(v, text);
}

static void write_date(value *v)
{
    char text[48];
    duckdb_date_struct date = duckdb_from_date(((const duckdb_date *)v->data)[v->row]);
    snprintf(text, sizeof(text), "%04d-%02d-%02d", date.year, date.month, date.day);
    write_time_text(v, text);
}

static void write_time(value *v)
{
    char text[48];
    duckdb_time_struct time = duckdb_from_time(((const duckdb_time *)v->data)[v->row]);
    snprintf(text, sizeof(text), "%02d:%02d:%02d.%06d", time.hour, time.min, time.sec, time.micros);
    if (!time.micros)
        text[8] = '\0';
    write_time_text(v, text);
}

/* ISO 8601: P1M2DT3.5S. */
static void write_interval(value *v)
{
    char text[96];
    duckdb_interval interval = ((const duckdb_interval *)v->data)[v->row];
    snprintf(text, sizeof(text), "P%" PRId32 "M%" PRId32 "DT%.6gS", interval.months, interval.days,
             (double)interval.micros / 1e6);
    write_time_text(v, text);
}

static void write_uuid(value *v)
{
    char text[QK_ID_TEXT_SIZE];
    qk_id_format(text, qk__id_from_duckdb(((const duckdb_hugeint *)v->data)[v->row]));
    write_text(v, text, QK_ID_TEXT_SIZE - 1);
}

static void write_enum(value *v)
{
    idx_t index;
    switch (duckdb_enum_internal_type(v->type)) {
    case DUCKDB_TYPE_UTINYINT:
        index = ((const uint8_t *)v->data)[v->row];
        break;
    case DUCKDB_TYPE_USMALLINT:
        index = ((const uint16_t *)v->data)[v->row];
        break;
    default:
        index = ((const uint32_t *)v->data)[v->row];
    }
    char *text = duckdb_enum_dictionary_value(v->type, index);
    if (text)
        write_text(v, text, strlen(text));
    duckdb_free(text);
}

void qk__rows_json(qk__buffer *out, duckdb_vector vector, duckdb_logical_type type, idx_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    value inner = { .out = out, .vector = vector, .type = type, .row = row, .json = true };
    inner.data = duckdb_vector_get_data(vector);
    if (validity && !duckdb_validity_row_is_valid(validity, row)) {
        qk__buffer_text(out, "null");
        return;
    }
    write_value(&inner);
    if (inner.null)
        qk__buffer_text(out, "null");
}

static void write_struct(value *v)
{
    idx_t count = duckdb_struct_type_child_count(v->type);
    qk__buffer_append(v->out, "{", 1);
    for (idx_t i = 0; i < count; i++) {
        char *name = duckdb_struct_type_child_name(v->type, i);
        duckdb_logical_type type = duckdb_struct_type_child_type(v->type, i);
        if (i)
            qk__buffer_append(v->out, ",", 1);
        qk__buffer_json_string(v->out, name ? name : "", name ? strlen(name) : 0);
        qk__buffer_append(v->out, ":", 1);
        qk__rows_json(v->out, duckdb_struct_vector_get_child(v->vector, i), type, v->row);
        duckdb_destroy_logical_type(&type);
        duckdb_free(name);
    }
    qk__buffer_append(v->out, "}", 1);
}

/* Maps are lists of {"key":…,"value":…}, since a key need not be text. */
static void write_list(value *v, bool map)
{
    duckdb_list_entry entry = ((const duckdb_list_entry *)v->data)[v->row];
    duckdb_vector child = duckdb_list_vector_get_child(v->vector);
    duckdb_logical_type type =
        map ? duckdb_vector_get_column_type(child) : duckdb_list_type_child_type(v->type);
    qk__buffer_append(v->out, "[", 1);
    for (idx_t i = 0; i < entry.length; i++) {
        if (i)
            qk__buffer_append(v->out, ",", 1);
        qk__rows_json(v->out, child, type, entry.offset + i);
    }
    qk__buffer_append(v->out, "]", 1);
    duckdb_destroy_logical_type(&type);
}

static void write_integer(value *v, duckdb_type id)
{
    switch (id) {
    case DUCKDB_TYPE_TINYINT:
        qk__buffer_printf(v->out, "%d", ((const int8_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_SMALLINT:
        qk__buffer_printf(v->out, "%d", ((const int16_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_INTEGER:
        qk__buffer_printf(v->out, "%" PRId32, ((const int32_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_BIGINT:
        qk__buffer_printf(v->out, "%" PRId64, ((const int64_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_UTINYINT:
        qk__buffer_printf(v->out, "%u", ((const uint8_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_USMALLINT:
        qk__buffer_printf(v->out, "%u", ((const uint16_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_UINTEGER:
        qk__buffer_printf(v->out, "%" PRIu32, ((const uint32_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_UBIGINT:
        qk__buffer_printf(v->out, "%" PRIu64, ((const uint64_t *)v->data)[v->row]);
        break;
    case DUCKDB_TYPE_UHUGEINT:
        write_u128(v->out, (unsigned __int128)to_i128(((const duckdb_hugeint *)v->data)[v->row]),
                   0);
        break;
    default:
        write_i128(v->out, to_i128(((const duckdb_hugeint *)v->data)[v->row]), 0);
    }
}

/* long: one case per type of DuckDB */
static void write_value(value *v)
{
    duckdb_type id = duckdb_get_type_id(v->type);
    const int64_t *number = (const int64_t *)v->data + v->row;
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN:
        qk__buffer_text(v->out, ((const bool *)v->data)[v->row] ? "true" : "false");
        break;
    case DUCKDB_TYPE_FLOAT:
        write_double(v, (double)((const float *)v->data)[v->row], 6, 9);
        break;
    case DUCKDB_TYPE_DOUBLE:
        write_double(v, ((const double *)v->data)[v->row], 15, 17);
        break;
    case DUCKDB_TYPE_DECIMAL:
        write_decimal(v);
        break;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
        write_timestamp(v, *number);
        break;
    case DUCKDB_TYPE_TIMESTAMP_S:
        write_timestamp(v, *number * 1000000);
        break;
    case DUCKDB_TYPE_TIMESTAMP_MS:
        write_timestamp(v, *number * 1000);
        break;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        write_timestamp(v, *number / 1000);
        break;
    case DUCKDB_TYPE_DATE:
        write_date(v);
        break;
    case DUCKDB_TYPE_TIME:
        write_time(v);
        break;
    case DUCKDB_TYPE_INTERVAL:
        write_interval(v);
        break;
    case DUCKDB_TYPE_UUID:
        write_uuid(v);
        break;
    case DUCKDB_TYPE_ENUM:
        write_enum(v);
        break;
    case DUCKDB_TYPE_STRUCT:
        write_struct(v);
        break;
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_MAP:
        write_list(v, id == DUCKDB_TYPE_MAP);
        break;
    case DUCKDB_TYPE_VARCHAR:
        write_string(v);
        break;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
        write_integer(v, id);
        break;
    default:
        v->null = true; /* a type within a list or struct that has no text here */
    }
}

void qk__rows_text(qk__buffer *buffer, bool *null, duckdb_vector vector, duckdb_logical_type type,
                   idx_t row)
{
    value v = { .out = buffer, .vector = vector, .type = type, .row = row };
    v.data = duckdb_vector_get_data(vector);
    write_value(&v);
    *null = v.null;
}
