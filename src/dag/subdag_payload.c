/*
 * The payload of a job of kind "dag", read back; see graph.h. It is made by qk__dag_payload, but may
 * come from a store that others write to, so it is checked like any input.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/graph.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/json.h"
#include "util/json_walk.h"

static qk_status take_string(char **out, const char *key, qk__json_span value, qk_error *err)
{
    if (*value.at != '"')
        return qk__error(err, QK_EINVAL, "payload of a sub-DAG: \"%s\" must be a string", key);
    char *text = malloc(value.length);
    if (!text)
        return qk__error(err, QK_ENOMEM, "out of memory");
    size_t length = qk__json_decode(text, value);
    if (length == 0 || memchr(text, '\0', length)) {
        free(text);
        return qk__error(err, QK_EINVAL, "payload of a sub-DAG: \"%s\" is empty or has a NUL", key);
    }
    free(*out); /* of a repeated key */
    *out = text;
    return QK_OK;
}

static qk_status take_json(char **out, qk__json_span value, qk_error *err)
{
    char *text = qk__dup_text(value.at, value.length);
    if (!text)
        return qk__error(err, QK_ENOMEM, "out of memory");
    free(*out);
    *out = text;
    return QK_OK;
}

static const struct {
    const char *key;
    qk_subdag_source source;
} subjects[] = {
    { "factory", QK_SUBDAG_FACTORY },
    { "dag_from", QK_SUBDAG_DYNAMIC },
    { "file", QK_SUBDAG_FILE },
};

static qk_status take_member(qk__subdag_payload *out, qk__json_span key, qk__json_span value,
                             qk_error *err)
{
    qk_subdag_source source = QK_SUBDAG_NONE;
    qk_status rc = QK_OK;
    if (qk__json_equals(key, "store", 5))
        return take_string(&out->store, "store", value, err);
    if (qk__json_equals(key, "params", 6) || qk__json_equals(key, "with", 4))
        return take_json(&out->argument, value, err);
    if (qk__json_equals(key, "workflow", 8) && *value.at == '{') {
        out->workflow = value.at;
        out->workflow_length = value.length;
        return QK_OK;
    }
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        if (qk__json_equals(key, subjects[i].key, strlen(subjects[i].key))) {
            source = subjects[i].source;
            rc = take_string(&out->subject, subjects[i].key, value, err);
        }
    }
    if (qk__json_equals(key, "dag", 3) && *value.at == '{') {
        source = QK_SUBDAG_IN_PLACE;
        out->definition = value.at;
        out->definition_length = value.length;
    }
    if (!rc && (source == QK_SUBDAG_NONE || (out->source && out->source != source)))
        rc = qk__error(err, QK_EINVAL,
                       "payload of a sub-DAG: must name one of factory, dag, "
                       "dag_from and file, and nothing else");
    out->source = source;
    return rc;
}

qk_status qk__subdag_payload_parse(qk__subdag_payload *out, const char *payload, size_t length,
                                   qk_error *err)
{
    qk_error problem = QK_ERROR_INIT;
    qk__json_span key;
    qk__json_span value;
    qk_status rc = QK_OK;
    *out = (qk__subdag_payload){ .source = QK_SUBDAG_NONE };
    if (qk__json_check(payload, length, &problem))
        return qk__error(err, QK_EINVAL, "payload of a sub-DAG: not JSON: %s", problem.message);
    qk__json_span whole = qk__json_whole(payload, length);
    if (*whole.at == '{') {
        qk__json_walk walk = qk__json_enter(whole);
        while (!rc && qk__json_member(&walk, &key, &value))
            rc = take_member(out, key, value, err);
    }
    if (!rc && out->source == QK_SUBDAG_NONE)
        rc = qk__error(err, QK_EINVAL,
                       "payload of a sub-DAG: must name one of factory, dag, dag_from and file");
    if (rc)
        qk__subdag_payload_dispose(out);
    return rc;
}

void qk__subdag_payload_dispose(qk__subdag_payload *payload)
{
    free(payload->subject);
    free(payload->argument);
    free(payload->store);
    *payload = (qk__subdag_payload){ .source = QK_SUBDAG_NONE };
}
