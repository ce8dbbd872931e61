/*
 * Filtered listing; see reader.h. The statement is put together from fixed pieces; whatever comes
 * from outside is bound.
 */
#include <stdlib.h>
#include <string.h>

#include "store/embedded/reader_internal.h"
#include "store/embedded/row_job.h"
#include "store/embedded/row_set.h"
#include "store/embedded/views.h"
#include "util/buffer.h"
#include "util/error.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000000000
#define PARAMETERS_MAX 8
#define ALL_STATUSES ((1u << QK_JOB_STATUS_COUNT) - 1)

typedef struct query {
    qk__buffer sql;
    qk__parameter parameters[PARAMETERS_MAX];
    size_t count;
} query;

/* Adds " AND <before>$n<after>" with the parameter bound to it. */
static void add(query *q, const char *before, const char *after, qk__parameter parameter)
{
    q->parameters[q->count++] = parameter;
    qk__buffer_printf(&q->sql, " AND %s$%zu%s", before, q->count, after);
}

static void add_text(query *q, const char *before, const char *after, const char *text)
{
    if (text)
        add(q, before, after, (qk__parameter){ .kind = QK__PARAMETER_TEXT, .text = text });
}

static void add_id(query *q, const char *before, qk_id id)
{
    if (!qk_id_is_none(id))
        add(q, before, "", (qk__parameter){ .kind = QK__PARAMETER_ID, .id = id });
}

static void add_statuses(query *q, uint32_t statuses)
{
    const char *comma = "";
    if (!statuses || (statuses & ALL_STATUSES) == ALL_STATUSES)
        return;
    qk__buffer_text(&q->sql, " AND status IN (");
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++) {
        if (statuses & 1u << i) {
            qk__buffer_printf(&q->sql, "%s%d", comma, i);
            comma = ", ";
        }
    }
    qk__buffer_text(&q->sql, *comma ? ")" : "255)");
}

static void build(query *q, const qk_job_filter *filter, size_t limit, int64_t now_us)
{
    qk__buffer_text(&q->sql, "SELECT 0::UTINYINT AS op, " QK__ROW_COLUMNS
                             " FROM queuack_rows WHERE true");
    add_statuses(q, filter->statuses);
    add_text(q, "queue = ", "", filter->queue);
    add_text(q, "kind = ", "", filter->kind);
    add_text(q, "list_contains(json_extract_string(ext, '$.tg[*]'), ", ")", filter->tag);
    add_id(q, "related = ", filter->run_id);
    add_id(q, "id < ", filter->before);
    add_text(q, "suffix(replace(id::VARCHAR, '-', ''), lower(", "))", filter->id_suffix);
    if (filter->older_than.us > 0)
        add(q, "status >= 3 AND finished_at <= ", "",
            (qk__parameter){ .kind = QK__PARAMETER_TIME, .number = now_us - filter->older_than.us });
    qk__buffer_printf(&q->sql, " ORDER BY id DESC LIMIT %zu", limit + 1);
}

/* Live rows included. */
static qk_status fetch(qk__reader *reader, qk__row_set *out, query *q, qk_error *err)
{
    qk__slot *slot;
    duckdb_result result;
    qk_status rc = qk__slot_take(&slot, reader, false, 0, err);
    if (rc)
        return rc;
    rc = qk__slot_begin(slot, err);
    if (!rc)
        rc = qk__slot_query(slot, &result, q->sql.data, q->parameters, q->count, err);
    if (!rc) {
        rc = qk__row_set_read(out, &result, err);
        duckdb_destroy_result(&result);
    }
    qk__slot_release(slot);
    return rc;
}

static qk_status to_list(qk_job_list **out, const qk__row_set *rows, size_t limit, qk_error *err)
{
    void *block;
    qk_job *items;
    size_t count = rows->count > limit ? limit : rows->count;
    qk_status rc =
        qk__rows_to_jobs(&block, &items, sizeof(qk_job_list), rows->rows, count, err);
    if (rc)
        return rc;
    qk_job_list *list = block;
    list->count = count;
    list->items = items;
    list->more = rows->count > limit;
    *out = list;
    return QK_OK;
}

qk_status qk__reader_list(qk__reader *reader, qk_job_list **out, const qk_job_filter *filter,
                          qk_error *err)
{
    size_t limit = filter->limit ? filter->limit : LIMIT_DEFAULT;
    qk__row_set rows = { NULL, 0, NULL };
    query q = { .count = 0 };
    *out = NULL;
    if (limit > LIMIT_MAX)
        limit = LIMIT_MAX;
    qk__buffer_init(&q.sql, 1 << 16);
    build(&q, filter, limit, reader->clock.wall(reader->clock.user).us);
    qk_status rc = q.sql.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                                : fetch(reader, &rows, &q, err);
    if (!rc)
        rc = to_list(out, &rows, limit, err);
    qk__row_set_dispose(&rows);
    qk__buffer_dispose(&q.sql);
    return rc;
}
