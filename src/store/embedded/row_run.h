/*
 * From RUN rows (see reader.h) to what people get. One allocation each; free() frees it. No state.
 */
#ifndef QK_STORE_EMBEDDED_ROW_RUN_H
#define QK_STORE_EMBEDDED_ROW_RUN_H

#include "store/embedded/reader.h"

qk_status qk__row_to_run(qk_run **out, const qk__row *row, qk_error *err);
/* Up to `limit` of them; `more` if there were more. */
qk_status qk__rows_to_run_list(qk_run_list **out, const qk__row *rows, size_t count, size_t limit,
                               qk_error *err);
/* `runs` of a tree in order of id, result the run around each. The part below `root`. QK_ENOTFOUND. */
qk_status qk__rows_to_tree(qk_run_tree **out, const qk__row_set *runs, qk_id root, qk_error *err);

#endif
