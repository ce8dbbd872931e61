/*
 * Views as rows; see view.h. Any thread.
 */
#include "queue/view.h"

#include <stdio.h>

#define TIMEOUT_US INT64_C(30000000)

qk_status qk__view_open(qk_rows **out, qk_store *store, const char *view, qk_error *err)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT * FROM %.64s", view);
    return store->ops->rows_open(store, out, sql, TIMEOUT_US, err);
}
