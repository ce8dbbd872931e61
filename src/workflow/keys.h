/*
 * The keys of a workflow file, one table per kind of map. The loader refuses what is not in them and
 * suggests from them; docs/workflow.schema.json is tested against them.
 */
#ifndef QK_WORKFLOW_KEYS_H
#define QK_WORKFLOW_KEYS_H

#include <stddef.h>

typedef struct qk__keys {
    const char *what; /* "task", for messages */
    const char *definition; /* its name in the JSON Schema; "": the top */
    const char *const *names;
    size_t count;
} qk__keys;

extern const qk__keys qk__keys_file, qk__keys_task, qk__keys_defaults, qk__keys_param,
    qk__keys_backoff, qk__keys_limits;

/* Every table, NULL at the end. */
extern const qk__keys *const qk__keys_all[];

/* What an expression may ask for as run.NAME. */
extern const char *const qk__run_fields[];
extern const size_t qk__run_field_count;

#endif
