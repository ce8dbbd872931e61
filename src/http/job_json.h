/*
 * Jobs, claims and errors as JSON: the wire's side of the structs of job.h.
 */
#ifndef QK_HTTP_JOB_JSON_H
#define QK_HTTP_JOB_JSON_H

#include <queuack/job.h>

#include "util/buffer.h"

/*
 * One object, keys as the columns of the view `jobs` (timeout as timeout_seconds). Payload, result
 * and tags are nested; with `exact` payload and result are the keys payload_text and result_text,
 * texts that hold the JSON as it was given, byte for byte.
 */
void qk__job_json(qk__buffer *out, const qk_job *job, bool exact);
void qk__claim_json(qk__buffer *out, const qk_claimed *claim, bool exact);

/* "key":… with a comma before it unless it is the first of its object. NULL and none: null. */
void qk__put_key(qk__buffer *out, const char *key);
void qk__put_text(qk__buffer *out, const char *key, const char *text);
void qk__put_id(qk__buffer *out, const char *key, qk_id id);
void qk__put_time(qk__buffer *out, const char *key, qk_time time);
void qk__put_number(qk__buffer *out, const char *key, int64_t number);
void qk__put_bool(qk__buffer *out, const char *key, bool value);
/* Forever: null. */
void qk__put_seconds(qk__buffer *out, const char *key, qk_duration duration);
/* JSON nested, or with `exact` under `<key>_text` as a text. */
void qk__put_nested(qk__buffer *out, const char *key, const char *json, bool exact);

#endif
