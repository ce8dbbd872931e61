/*
 * People's rows: a materialised result handed out row by row.
 *
 * The query has ended and its slot is free again when the rows are handed out, so slow callers hold
 * neither a connection nor a snapshot of the file. Each qk_rows has its own mutex, because closing
 * the store frees the results of all that are still open from another thread; the registry that
 * knows them is counted and outlives the reader while rows do. Lock order: registry, then rows.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/embedded/checked_sql.h"
#include "store/embedded/database.h"
#include "store/embedded/reader_internal.h"
#include "store/embedded/rows_text.h"
#include "util/buffer.h"
#include "util/error.h"

#define CELL_MAX ((size_t)1 << 30)

typedef struct cell {
    qk__buffer text;
    bool null;
} cell;

typedef struct column {
    char *name;
    qk_column_type type;
    duckdb_logical_type logical;
} column;

typedef struct open_rows open_rows;

typedef struct qk__rows_registry {
    pthread_mutex_t mutex;
    open_rows *first;
    size_t references; /* the reader's and one of each open_rows */
} qk__rows_registry;

struct open_rows {
    qk_rows base;
    pthread_mutex_t mutex; /* guards what follows up to `closed` */
    duckdb_result result;
    bool has_result;
    duckdb_data_chunk chunk;
    idx_t at, chunk_size;
    bool closed; /* by the store */
    size_t column_count; /* fixed from here on */
    column *columns;
    cell *cells;
    qk__rows_registry *registry;
    open_rows *next, **link; /* guarded by the registry's mutex; link NULL: not in it */
};

qk__rows_registry *qk__rows_registry_new(void)
{
    qk__rows_registry *registry = calloc(1, sizeof(*registry));
    if (registry) {
        pthread_mutex_init(&registry->mutex, NULL);
        registry->references = 1;
    }
    return registry;
}

/* With its mutex held, which is released. */
static void unlock_and_drop(qk__rows_registry *registry)
{
    bool last = --registry->references == 0;
    pthread_mutex_unlock(&registry->mutex);
    if (last) {
        pthread_mutex_destroy(&registry->mutex);
        free(registry);
    }
}

static void unlink_rows(open_rows *rows)
{
    if (!rows->link)
        return;
    *rows->link = rows->next;
    if (rows->next)
        rows->next->link = rows->link;
    rows->link = NULL;
}

static void drop_result(open_rows *rows)
{
    duckdb_destroy_data_chunk(&rows->chunk);
    rows->chunk = NULL;
    for (size_t i = 0; i < rows->column_count; i++)
        duckdb_destroy_logical_type(&rows->columns[i].logical);
    if (rows->has_result)
        duckdb_destroy_result(&rows->result);
    rows->has_result = false;
}

void qk__rows_registry_close(qk__rows_registry *registry)
{
    pthread_mutex_lock(&registry->mutex);
    while (registry->first) {
        open_rows *rows = registry->first;
        unlink_rows(rows);
        pthread_mutex_lock(&rows->mutex);
        drop_result(rows);
        rows->closed = true;
        pthread_mutex_unlock(&rows->mutex);
    }
    unlock_and_drop(registry);
}

/* With rows->mutex held. QK_EMPTY at the end. */
static qk_status advance(open_rows *rows)
{
    if (rows->chunk && rows->at + 1 < rows->chunk_size) {
        rows->at++;
        return QK_OK;
    }
    do {
        duckdb_destroy_data_chunk(&rows->chunk);
        rows->chunk = rows->has_result ? duckdb_fetch_chunk(rows->result) : NULL;
        if (!rows->chunk)
            return QK_EMPTY;
        rows->chunk_size = duckdb_data_chunk_get_size(rows->chunk);
        rows->at = 0;
    } while (rows->chunk_size == 0);
    return QK_OK;
}

static qk_status read_cells(open_rows *rows, qk_error *err)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        cell *c = &rows->cells[i];
        duckdb_vector vector = duckdb_data_chunk_get_vector(rows->chunk, i);
        uint64_t *validity = duckdb_vector_get_validity(vector);
        qk__buffer_clear(&c->text);
        c->null = validity && !duckdb_validity_row_is_valid(validity, rows->at);
        if (!c->null) {
            qk__rows_text(&c->text, &c->null, vector, rows->columns[i].logical, rows->at);
            qk__buffer_append(&c->text, "", 0);
            if (c->text.failed)
                return qk__error(err, QK_ENOMEM, "a value is too large to show: select less of it");
        }
    }
    return QK_OK;
}

static qk_status rows_next(qk_rows *base, qk_error *err)
{
    open_rows *rows = (open_rows *)base;
    pthread_mutex_lock(&rows->mutex);
    qk_status rc =
        rows->closed ? qk__error(err, QK_ECLOSED, "the store has been closed") : advance(rows);
    if (!rc)
        rc = read_cells(rows, err);
    pthread_mutex_unlock(&rows->mutex);
    return rc;
}

static size_t rows_column_count(const qk_rows *base)
{
    return ((const open_rows *)base)->column_count;
}

static const char *rows_column_name(const qk_rows *base, size_t at)
{
    const open_rows *rows = (const open_rows *)base;
    return at < rows->column_count ? rows->columns[at].name : NULL;
}

static qk_column_type rows_column_type(const qk_rows *base, size_t at)
{
    const open_rows *rows = (const open_rows *)base;
    return at < rows->column_count ? rows->columns[at].type : QK_COLUMN_TEXT;
}

/* Reads only what rows_next of the same thread has written. */
static const char *rows_text(const qk_rows *base, size_t at)
{
    const open_rows *rows = (const open_rows *)base;
    if (at >= rows->column_count || rows->cells[at].null)
        return NULL;
    return rows->cells[at].text.data ? rows->cells[at].text.data : "";
}

static size_t rows_length(const qk_rows *base, size_t at)
{
    const open_rows *rows = (const open_rows *)base;
    return at < rows->column_count && !rows->cells[at].null ? rows->cells[at].text.length : 0;
}

static void rows_close(qk_rows *base)
{
    open_rows *rows = (open_rows *)base;
    qk__rows_registry *registry = rows->registry;
    pthread_mutex_lock(&registry->mutex);
    unlink_rows(rows);
    pthread_mutex_lock(&rows->mutex);
    drop_result(rows);
    pthread_mutex_unlock(&rows->mutex);
    unlock_and_drop(registry);
    for (size_t i = 0; i < rows->column_count; i++) {
        free(rows->columns[i].name);
        qk__buffer_dispose(&rows->cells[i].text);
    }
    free(rows->columns);
    free(rows->cells);
    pthread_mutex_destroy(&rows->mutex);
    free(rows);
}

static const struct qk__rows_ops operations = {
    .next = rows_next,
    .column_count = rows_column_count,
    .column_name = rows_column_name,
    .column_type = rows_column_type,
    .text = rows_text,
    .length = rows_length,
    .close = rows_close,
};

static qk_status describe(open_rows *rows, qk_error *err)
{
    size_t count = duckdb_column_count(&rows->result);
    rows->columns = calloc(count ? count : 1, sizeof(*rows->columns));
    rows->cells = calloc(count ? count : 1, sizeof(*rows->cells));
    if (!rows->columns || !rows->cells)
        return qk__error(err, QK_ENOMEM, "out of memory");
    rows->column_count = count;
    for (size_t i = 0; i < count; i++)
        qk__buffer_init(&rows->cells[i].text, CELL_MAX);
    for (size_t i = 0; i < count; i++) {
        column *c = &rows->columns[i];
        const char *name = duckdb_column_name(&rows->result, i);
        c->name = strdup(name ? name : "");
        c->logical = duckdb_column_logical_type(&rows->result, i);
        if (!c->name)
            return qk__error(err, QK_ENOMEM, "out of memory");
        if (!qk__rows_column_type(&c->type, c->logical))
            return qk__error(err, QK_EINVAL,
                             "column %s has a type that cannot be shown: cast it to VARCHAR",
                             c->name);
    }
    return QK_OK;
}

/* Takes over the result. */
static qk_status wrap(qk_rows **out, qk__reader *reader, const duckdb_result *result, qk_error *err)
{
    open_rows *rows = calloc(1, sizeof(*rows));
    if (!rows) {
        duckdb_result copy = *result;
        duckdb_destroy_result(&copy);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    rows->base.ops = &operations;
    rows->result = *result;
    rows->has_result = true;
    rows->registry = reader->rows;
    pthread_mutex_init(&rows->mutex, NULL);
    pthread_mutex_lock(&rows->registry->mutex);
    rows->registry->references++;
    rows->next = rows->registry->first;
    rows->link = &rows->registry->first;
    if (rows->next)
        rows->next->link = &rows->next;
    rows->registry->first = rows;
    pthread_mutex_unlock(&rows->registry->mutex);
    qk_status rc = describe(rows, err);
    if (rc) {
        rows_close(&rows->base);
        return rc;
    }
    *out = &rows->base;
    return QK_OK;
}

/* Whether what a person wrote is at fault, and not the store. */
static bool persons_fault(duckdb_error_type type)
{
    return type != DUCKDB_ERROR_IO && type != DUCKDB_ERROR_FATAL && type != DUCKDB_ERROR_INTERNAL &&
           type != DUCKDB_ERROR_OUT_OF_MEMORY && type != DUCKDB_ERROR_INTERRUPT &&
           type != DUCKDB_ERROR_SERIALIZATION;
}

/* Preparing tells no type; the text begins with it. */
static duckdb_error_type type_of_text(const char *text)
{
    static const struct {
        const char *start;
        duckdb_error_type type;
    } starts[] = {
        { "IO Error", DUCKDB_ERROR_IO },
        { "FATAL Error", DUCKDB_ERROR_FATAL },
        { "INTERNAL Error", DUCKDB_ERROR_INTERNAL },
        { "Out of Memory Error", DUCKDB_ERROR_OUT_OF_MEMORY },
        { "INTERRUPT Error", DUCKDB_ERROR_INTERRUPT },
        { "Serialization Error", DUCKDB_ERROR_SERIALIZATION },
    };
    for (size_t i = 0; text && i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(text, starts[i].start, strlen(starts[i].start)) == 0)
            return starts[i].type;
    }
    return DUCKDB_ERROR_BINDER;
}

static qk_status explain(qk__slot *slot, duckdb_error_type type, const char *text, qk_error *err)
{
    if (persons_fault(type) && text)
        return qk__error(err, QK_EINVAL, "the query does not work: %.*s", (int)strcspn(text, "\n"),
                         text);
    return qk__slot_error(slot, "the query failed", type, text, err);
}

static qk_status execute(qk__slot *slot, duckdb_result *out, const char *sql, qk_error *err)
{
    duckdb_prepared_statement statement = NULL;
    qk_status rc = QK_OK;
    if (duckdb_prepare(slot->connection, sql, &statement) != DuckDBSuccess) {
        const char *text = duckdb_prepare_error(statement);
        rc = explain(slot, type_of_text(text), text, err);
    } else if (duckdb_execute_prepared(statement, out) != DuckDBSuccess) {
        rc = explain(slot, duckdb_result_error_type(out), duckdb_result_error(out), err);
        duckdb_destroy_result(out);
    }
    duckdb_destroy_prepare(&statement);
    return rc;
}

qk_status qk__reader_rows(qk__reader *reader, qk_rows **out, const char *sql, int64_t timeout_us,
                          qk_error *err)
{
    qk__slot *slot;
    duckdb_result result;
    *out = NULL;
    qk_status rc = qk__slot_take(&slot, reader, true, timeout_us, err);
    if (rc)
        return rc;
    rc = qk__checked_sql(slot->connection, sql, err);
    if (rc == QK_EREFUSED && reader->host.sql_refused)
        reader->host.sql_refused(reader->host.self);
    if (!rc)
        rc = qk__slot_begin(slot, err);
    if (!rc)
        rc = execute(slot, &result, sql, err);
    qk__slot_release(slot);
    return rc ? rc : wrap(out, reader, &result, err);
}
