/*
 * JSON of the protocol, the client's side: writing requests, reading answers into the structs of
 * job.h. What is read comes from another process and is checked.
 */
#ifndef QK_STORE_REMOTE_WIRE_H
#define QK_STORE_REMOTE_WIRE_H

#include <jansson.h>

#include "store/store.h"
#include "util/buffer.h"

void wire_key(qk__buffer *out, const char *key); /* with a comma unless it follows a { */
void wire_text(qk__buffer *out, const char *key, const char *text); /* NULL: left out */
void wire_id(qk__buffer *out, const char *key, qk_id id);
void wire_number(qk__buffer *out, const char *key, int64_t number);
void wire_true(qk__buffer *out, const char *key, bool value); /* false: left out */
void wire_seconds(qk__buffer *out, const char *key, int64_t us); /* INT64_MAX: null */

/* A job to be enqueued; the array of them, and the run with its nodes. What would be longer than
 * `most` is cut off somewhere beyond that, and then of no use. */
void wire_new_job(qk__buffer *out, const qk__new_job *job);
void wire_new_jobs(qk__buffer *out, const qk__new_job *jobs, size_t count, size_t most);
void wire_new_run(qk__buffer *out, const qk__new_run *run, const qk__new_job *jobs, size_t count,
                  size_t most);

/* name=value for a query, escaped, after '?' or '&' as `out` needs it. NULL: left out. */
void wire_query(qk__buffer *out, const char *name, const char *value);
void wire_query_seconds(qk__buffer *out, const char *name, int64_t us);

bool wire_get_id(qk_id *out, const json_t *object, const char *key); /* null: none */
bool wire_get_number(int64_t *out, const json_t *object, const char *key);
bool wire_get_seconds(int64_t *out, const json_t *object, const char *key); /* null: INT64_MAX */
bool wire_get_time(qk_time *out, const json_t *object, const char *key); /* null: none */

/* Jobs in one block that begins with `head` bytes for the caller. False: they make no sense;
 * *block NULL and true: out of memory. */
bool wire_jobs(void **block, qk_job **items, size_t head, const json_t *const *jobs, size_t count);
/* Runs; likewise. */
bool wire_runs(void **block, qk_run **items, size_t head, const json_t *const *runs, size_t count);
bool wire_run_progress(qk_run_progress *out, const json_t *json);
/* As qk_run_tree, from the nested form; likewise. */
bool wire_run_tree(qk_run_tree **out, const json_t *json);
/* As qk_claims; likewise. */
bool wire_claims(qk_claims **out, const json_t *list);

#endif
