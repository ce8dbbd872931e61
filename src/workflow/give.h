/*
 * Params of a sub-DAG that is about to start: what its node's `with` amounts to, against what the
 * workflow declares. The declarations travel in the DAG's metadata, as
 *   {"workflow": {"file": "/flows/etl.yaml", "params": {"day": {"type": "string", "choices": […]}}}}
 */
#ifndef QK_WORKFLOW_GIVE_H
#define QK_WORKFLOW_GIVE_H

#include <queuack/workflow.h>

#include "util/json_walk.h"

/* Puts the members of `with` (JSON object text, checked) into the DAG's params. QK_EINVAL: a value is
 * of the wrong type, not among the choices, or null where something is needed; QK_ENOMEM. */
qk_status qk__workflow_give(qk_dag *dag, const char *with, qk_error *err);

/* Whether a JSON value is of the type; whether it is among the choices (JSON array; NULL: any). */
bool qk__param_fits(qk_param_type type, qk__json_span value);
bool qk__param_is_choice(const char *choices, qk__json_span value);

/* The DAG of a workflow that is no longer needed for anything else: the caller's to free. */
qk_dag *qk__workflow_take_dag(qk_workflow *workflow);

#endif
