/*
 * What a job's command is: read from the payload, or a program that handles a kind.
 */
#ifndef QK_WORKER_COMMAND_SPEC_H
#define QK_WORKER_COMMAND_SPEC_H

#include <jansson.h>

#include "worker/worker_internal.h"

typedef struct qk__command_spec {
    json_t *payload; /* everything below borrows from it, from the program or from the claim */
    json_t *env; /* an object of strings, or NULL */
    char *const *argv;
    char **own_argv; /* what argv is, if it has to be freed */
    const char *cwd; /* NULL: the worker's */
    const char *input; /* NULL: none */
    size_t input_length;
    qk_limits limits;
    int slots; /* from 1 */
} qk__command_spec;

/* `program` NULL: the payload is {"argv": ["prog", "arg", …], "cwd": "…", "env": {"K": "V"}, "stdin":
 * "…", "slots": n, "limits": {"memory", "cpu_seconds", "open_files", "file_size"}}, where all but
 * argv may be left out and other keys are ignored. QK_EINVAL: it can never become right. Dispose in
 * every case. */
qk_status qk__command_spec_read(qk__command_spec *out, const qk_claimed *claim,
                                const qk__program *program, qk_error *err);
/* Of a workflow's command ("workflow" in the payload): puts the values of its expressions into env and
 * argv, see queuack/workflow.h. QK_EINVAL: a value is missing or cannot be given to a program; others
 * are the store's. */
qk_status qk__command_spec_resolve(qk__command_spec *spec, qk_task *task, qk_error *err);
void qk__command_spec_dispose(qk__command_spec *spec);

/* A copy; argv is NULL-terminated. NULL: out of memory. */
qk__program *qk__program_new(const char *const *argv, const char *cwd, const qk_limits *limits);
void qk__program_free(qk__program *program); /* NULL-safe */

#endif
