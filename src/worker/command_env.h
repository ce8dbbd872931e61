/*
 * What surrounds a command: its environment and the files it is given.
 */
#ifndef QK_WORKER_COMMAND_ENV_H
#define QK_WORKER_COMMAND_ENV_H

#include <jansson.h>

#include "worker/strays.h"
#include "worker/worker_internal.h"

typedef struct qk__command_env {
    char **vars; /* NULL-terminated; the pool's are borrowed */
    size_t count, capacity;
    char **own; /* those of `vars` that are freed with it */
    size_t own_count, own_capacity;
    qk__mark mark;
    char *result_path, *progress_path, *upstream_path; /* files the command may write */
} qk__command_env;

/* The pool's environment, then the payload's "env" object (NULL: none; its values are strings),
 * then the QUEUACK_… variables. Dispose in every case. QK_ENOMEM. */
qk_status qk__command_env_init(qk__command_env *env, const qk__slot *slot, const qk_claimed *claim,
                               json_t *extra);
/* Removes the files, frees. */
void qk__command_env_dispose(qk__command_env *env);

/* Content of a file the command may have written, NUL-terminated, in *out: free() it. QK_EMPTY: there
 * is none. QK_ETOOLARGE, QK_EINVAL (not a regular file), QK_EIO, QK_ENOMEM. */
qk_status qk__command_file_read(char **out, size_t *length, const char *path, size_t limit,
                                qk_error *err);

#endif
