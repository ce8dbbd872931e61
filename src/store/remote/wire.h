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
/* As qk_claims; likewise. */
bool wire_claims(qk_claims **out, const json_t *list);

#endif
