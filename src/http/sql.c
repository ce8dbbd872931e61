/*
 * POST sql: a person's SELECT, streamed.
 */
#include <string.h>

#include "http/fields.h"
#include "http/request.h"
#include "http/rows_json.h"

#define SQL_MAX ((size_t)1 << 20)
#define DEFAULT_TIMEOUT_US INT64_C(30000000)

void qk__post_sql(qk__request *request)
{
    static const char *const keys[] = { "query", "timeout_seconds", "exact", NULL };
    qk_store *store = request->http->store;
    qk_rows *rows = NULL;
    qk__fields fields;
    qk__fields_init(&fields, request->json);
    qk__fields_only(&fields, keys);
    const char *sql = qk__field_text(&fields, "query");
    int64_t timeout = qk__field_seconds(&fields, "timeout_seconds", 0, 0);
    if (!fields.rc && (!sql || !*sql))
        qk__fields_fail(&fields, "query", "must not be empty");
    if (!fields.rc && strlen(sql) > SQL_MAX)
        fields.rc = qk__error(&fields.err, QK_ETOOLARGE, "query: longer than %zu bytes", SQL_MAX);
    if (!fields.rc)
        fields.rc = store->ops->rows_open(store, &rows, sql,
                                          timeout > 0 ? timeout : DEFAULT_TIMEOUT_US, &fields.err);
    if (fields.rc && atomic_load(&request->http->stopping))
        fields.rc = qk__error(&fields.err, QK_ECLOSED, "this process is closing the store");
    if (fields.rc)
        qk__reply_error(request, fields.rc, &fields.err);
    else
        qk__reply_rows(request, rows, qk__wants_exact(request));
}
