/*
 * Filtered listing, newest id first; see reader.h. The statement is put together from fixed pieces;
 * whatever comes from outside is bound.
 *
 * The newest hundred of ten million sorted ids are the worst case of a top-N scan (0.5 s and more),
 * and DuckDB does not skip blocks for it. So the list is looked for in windows: ids not below that
 * of a moment shortly before the newest job (ids begin with their time), then a wider one, at last
 * all. A window that yields enough rows is exact, whatever ids are in it: what is outside is lower.
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
#define PARAMETERS_MAX 9
#define ALL_STATUSES ((1u << QK_JOB_STATUS_COUNT) - 1)

/* Before the newest job or the cursor; 0: everything. */
static const int64_t windows_ms[] = { 100, 10000, 1000000, 0 };
#define WINDOW_COUNT (sizeof(windows_ms) / sizeof(windows_ms[0]))

typedef struct query {
    qk__buffer sql;
    qk__parameter parameters[PARAMETERS_MAX];
    size_t count;
    char suffix[QK_ID_TEXT_SIZE];
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
    qk__buffer_text(&q->sql, " AND state IN (");
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++) {
        if (statuses & 1u << i) {
            qk__buffer_printf(&q->sql, "%s'%s'", comma, qk_job_status_name((qk_job_status)i));
            comma = ", ";
        }
    }
    qk__buffer_text(&q->sql, *comma ? ")" : "'')");
}

/* The last hex digits of an id as its text has them: in lower case, with dashes. */
static const char *dash(char out[QK_ID_TEXT_SIZE], const char *digits)
{
    static const size_t groups[] = { 12, 16, 20, 24 }; /* digits from the end before each dash */
    size_t at = QK_ID_TEXT_SIZE - 1, taken = 0, left = strlen(digits);
    out[at] = '\0';
    for (; left > 0 && at > 0; taken++) {
        for (size_t i = 0; i < 4 && at > 0; i++) {
            if (taken == groups[i])
                out[--at] = '-';
        }
        char c = digits[--left];
        if (at > 0)
            out[--at] = (char)(c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);
    }
    return left ? "none" : out + at; /* too many digits to be of an id */
}

static void build(query *q, const qk_job_filter *filter, size_t limit, int64_t now_us, qk_id lowest)
{
    qk__buffer_clear(&q->sql);
    q->count = 0;
    qk__buffer_text(&q->sql,
                    "SELECT 0::UTINYINT AS op, " QK__ROW_COLUMNS " FROM queuack_rows WHERE true");
    add_statuses(q, filter->statuses);
    add_text(q, "queue = ", "", filter->queue);
    add_text(q, "kind = ", "", filter->kind);
    if (filter->tag)
        qk__buffer_text(&q->sql, " AND contains(ext, '\"tg\":')"); /* cheap, and rules out most */
    add_text(q, "list_contains(json_extract_string(ext, '$.tg[*]'), ", ")", filter->tag);
    add_id(q, "related = ", filter->run_id);
    add_id(q, "id < ", filter->before);
    add_id(q, "id >= ", lowest);
    if (filter->id_suffix)
        add_text(q, "suffix(id::VARCHAR, ", ")", dash(q->suffix, filter->id_suffix));
    if (filter->older_than.us > 0)
        add(q, "finished_at <= ", "",
            (qk__parameter){ .kind = QK__PARAMETER_TIME,
                             .number = now_us - filter->older_than.us });
    qk__buffer_printf(&q->sql, " ORDER BY id DESC LIMIT %zu", limit + 1);
}

/* The lowest UUIDv7 of a millisecond. */
static qk_id id_of_time(int64_t ms)
{
    qk_id id = { { 0 } };
    for (int i = 5; i >= 0; i--, ms >>= 8)
        id.bytes[i] = (uint8_t)ms;
    return id;
}

/* Milliseconds that windows are measured back from: the cursor's, or those of the newest job in the
 * tables; newer live ones are then within any window. 0: unknown. */
static qk_status find_anchor(int64_t *out, qk__slot *slot, const qk_job_filter *filter,
                             qk_error *err)
{
    qk__row_set rows;
    duckdb_result result;
    *out = 0;
    for (int i = 0; i < 6; i++)
        *out = *out << 8 | filter->before.bytes[i];
    if (*out)
        return QK_OK;
    /* Answered from the tables' statistics, in a millisecond. */
    qk_status rc = qk__slot_query(slot, &result,
                                  "SELECT max(latest) AS created_at FROM ("
                                  "SELECT max(created_at) AS latest FROM history UNION ALL "
                                  "SELECT max(created_at) FROM journal_a UNION ALL "
                                  "SELECT max(created_at) FROM journal_b)",
                                  NULL, 0, err);
    if (rc)
        return rc;
    rc = qk__row_set_read(&rows, &result, err);
    duckdb_destroy_result(&result);
    if (rc)
        return rc;
    if (rows.count && rows.rows[0].created_us > 0)
        *out = rows.rows[0].created_us / 1000;
    qk__row_set_dispose(&rows);
    return QK_OK;
}

static qk_status fetch_window(qk__row_set *out, qk__slot *slot, query *q, qk_error *err)
{
    duckdb_result result;
    if (q->sql.failed)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = qk__slot_query(slot, &result, q->sql.data, q->parameters, q->count, err);
    if (rc)
        return rc;
    rc = qk__row_set_read(out, &result, err);
    duckdb_destroy_result(&result);
    return rc;
}

static qk_status fetch_windows(qk__row_set *out, qk__slot *slot, const qk_job_filter *filter,
                               size_t limit, query *q, qk_error *err)
{
    const qk_clock *clock = &slot->reader->clock;
    int64_t anchor;
    qk_status rc = find_anchor(&anchor, slot, filter, err);
    for (size_t i = 0; i < WINDOW_COUNT && !rc && out->count <= limit; i++) {
        bool all = windows_ms[i] == 0;
        if (!all && anchor <= windows_ms[i])
            continue;
        qk__row_set_dispose(out);
        build(q, filter, limit, clock->wall(clock->user).us,
              id_of_time(all ? 0 : anchor - windows_ms[i]));
        rc = fetch_window(out, slot, q, err);
    }
    return rc;
}

/* Live rows included; all windows see the same snapshot. */
static qk_status fetch(qk__reader *reader, qk__row_set *out, const qk_job_filter *filter,
                       size_t limit, qk_error *err)
{
    qk__slot *slot;
    query q = { .count = 0 };
    qk_status rc = qk__slot_take(&slot, reader, false, 0, err);
    if (rc)
        return rc;
    qk__buffer_init(&q.sql, 1 << 16);
    rc = qk__slot_begin(slot, err);
    if (!rc)
        rc = fetch_windows(out, slot, filter, limit, &q, err);
    qk__slot_release(slot);
    qk__buffer_dispose(&q.sql);
    return rc;
}

static qk_status to_list(qk_job_list **out, const qk__row_set *rows, size_t limit, qk_error *err)
{
    void *block;
    qk_job *items;
    size_t count = rows->count > limit ? limit : rows->count;
    qk_status rc = qk__rows_to_jobs(&block, &items, sizeof(qk_job_list), rows->rows, count, err);
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
    *out = NULL;
    if (limit > LIMIT_MAX)
        limit = LIMIT_MAX;
    qk_status rc = fetch(reader, &rows, filter, limit, err);
    if (!rc)
        rc = to_list(out, &rows, limit, err);
    qk__row_set_dispose(&rows);
    return rc;
}
