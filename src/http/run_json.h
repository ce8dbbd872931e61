/*
 * Runs as JSON: the wire's side of the structs of run.h.
 */
#ifndef QK_HTTP_RUN_JSON_H
#define QK_HTTP_RUN_JSON_H

#include <queuack/run.h>

#include "util/buffer.h"

/* One object, keys as the columns of the view `dag_runs`, and `counts` of its jobs by status.
 * Metadata, params and definition are nested; with `exact` they are texts under `<key>_text`. */
void qk__run_json(qk__buffer *out, const qk_run *run, bool exact);
/* {"status","total","counts":{…}} */
void qk__run_progress_json(qk__buffer *out, const qk_run_progress *progress);
/* {"id","name","status","parent_job_id","subdags":[…]}, nested. */
void qk__run_tree_json(qk__buffer *out, const qk_run_tree *tree);

#endif
