/*
 * A published view as rows, for those who know its name and nothing of SQL.
 */
#ifndef QK_QUEUE_VIEW_H
#define QK_QUEUE_VIEW_H

#include "store/store.h"

/* `view` is one of the published views' names; trusted. Errors as rows_open. */
qk_status qk__view_open(qk_rows **out, qk_store *store, const char *view, qk_error *err);

#endif
