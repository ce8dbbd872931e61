/*
 * Reading JSON definitions; see dag.h. The text is checked as JSON once, with its depth and size,
 * then walked in place. Payloads stay as they were written.
 */
#include <stdio.h>
#include <string.h>

#include "dag/json_node.h"
#include "dag/names.h"
#include "queue/validate.h"
#include "util/error.h"
#include "util/json.h"

typedef struct head {
    const char *name, *description, *metadata, *params;
    qk__json_span nodes;
} head;

static qk_status refuse(const qk__json_reading *reading, const char *name, const char *key,
                        const char *wanted)
{
    char quoted[QK__QUOTE_SIZE];
    return qk__error(reading->err, QK_EINVAL, "DAG '%s': \"%s\" must be %s",
                     qk__dag_quote(quoted, name), key, wanted);
}

static qk_status decode(const char **out, qk__json_reading *reading, const char *dag,
                        const char *key, qk__json_span value)
{
    if (*value.at != '"')
        return refuse(reading, dag, key, "a string");
    char *text = qk__arena_take(&reading->arena, value.length);
    if (!text)
        return qk__error(reading->err, QK_ENOMEM, "out of memory");
    size_t length = qk__json_decode(text, value);
    if (memchr(text, '\0', length))
        return refuse(reading, dag, key, "a string without \\u0000");
    *out = text;
    return QK_OK;
}

static qk_status object_text(const char **out, qk__json_reading *reading, const char *dag,
                             const char *key, qk__json_span value)
{
    if (*value.at != '{')
        return refuse(reading, dag, key, "an object");
    *out = qk__arena_text(&reading->arena, value.at, value.length);
    return *out ? QK_OK : qk__error(reading->err, QK_ENOMEM, "out of memory");
}

static const char *const head_keys[] = { "name", "description", "metadata", "params", "nodes" };
#define HEAD_KEYS (sizeof(head_keys) / sizeof(head_keys[0]))

static qk_status unknown_key(const qk__json_reading *reading, const char *dag, qk__json_span key)
{
    char name[48];
    char quoted[QK__QUOTE_SIZE];
    snprintf(name, sizeof(name), "%.*s", (int)(key.length - 2 < 40 ? key.length - 2 : 40),
             key.at + 1);
    const char *nearest = qk__nearest(head_keys, HEAD_KEYS, name);
    return qk__error(reading->err, QK_EINVAL, "DAG '%s': unknown key \"%s\": %s%s%s",
                     qk__dag_quote(quoted, dag), name,
                     nearest ? "did you mean \""
                             : "there are name, description, metadata, params "
                               "and nodes",
                     nearest ? nearest : "", nearest ? "\"?" : "");
}

static qk_status read_head_member(head *out, qk__json_reading *reading, unsigned *seen,
                                  qk__json_span key, qk__json_span value)
{
    size_t i = 0;
    const char *dag = out->name ? out->name : "(unnamed)";
    while (i < HEAD_KEYS && !qk__json_equals(key, head_keys[i], strlen(head_keys[i])))
        i++;
    if (i == HEAD_KEYS)
        return unknown_key(reading, dag, key);
    if (*seen >> i & 1)
        return refuse(reading, dag, head_keys[i], "there once only");
    *seen |= 1u << i;
    if (*value.at == 'n')
        return QK_OK;
    switch (i) {
    case 0:
        return QK_OK; /* was read first */
    case 1:
        return decode(&out->description, reading, dag, head_keys[i], value);
    case 2:
        return object_text(&out->metadata, reading, dag, head_keys[i], value);
    case 3:
        return object_text(&out->params, reading, dag, head_keys[i], value);
    default:
        out->nodes = value;
        return *value.at == '[' ? QK_OK : refuse(reading, dag, head_keys[i], "a list of nodes");
    }
}

static qk_status read_head(head *out, qk__json_reading *reading, qk__json_span object,
                           const char *default_name)
{
    qk__json_span key;
    qk__json_span value;
    unsigned seen = 0;
    qk_status rc = QK_OK;
    if (*object.at != '{')
        return qk__error(reading->err, QK_EINVAL,
                         "not a DAG: expected an object with \"name\" and \"nodes\"");
    out->name = default_name;
    if (qk__json_find(&value, object, "name", 4) && *value.at != 'n')
        rc = decode(&out->name, reading, default_name ? default_name : "(unnamed)", "name", value);
    qk__json_walk walk = qk__json_enter(object);
    while (!rc && qk__json_member(&walk, &key, &value))
        rc = read_head_member(out, reading, &seen, key, value);
    if (!rc && !out->name)
        rc = qk__error(reading->err, QK_EINVAL, "not a DAG: it has no \"name\"");
    if (!rc && !out->nodes.at)
        rc = refuse(reading, out->name, "nodes", "there, a list of nodes");
    return rc;
}

qk_status qk__json_read_dag(qk_dag **out, qk__json_reading *reading, qk__json_span object,
                            int depth, const char *default_name)
{
    head head = { 0 };
    qk_dag *dag = NULL;
    qk__json_span item;
    qk_dag_options options = reading->options->dag;
    *out = NULL;
    qk_status rc = read_head(&head, reading, object, default_name);
    if (rc)
        return rc;
    options.description = head.description;
    options.metadata = head.metadata;
    options.params = head.params;
    options.addition = options.addition && depth == 1;
    rc = qk_dag_new(&dag, head.name, &options, reading->err);
    if (rc)
        return rc;
    qk__json_walk walk = qk__json_enter(head.nodes);
    while (!rc && qk__json_element(&walk, &item))
        rc = qk__json_read_node(reading, dag, item, depth);
    if (rc) {
        qk_dag_free(dag);
        return rc;
    }
    *out = dag;
    return QK_OK;
}

static qk_status check_options(const qk_dag_parse_options *options, size_t length, qk_error *err)
{
    size_t limit = options->max_bytes ? options->max_bytes : QK__DAG_TEXT_MAX;
    qk_status rc =
        qk__check_version("parse options", "QK_DAG_PARSE_OPTIONS_INIT", options->version, err);
    if (rc)
        return rc;
    if (options->max_depth < 0 || options->max_depth > QK_DAG_NESTING_MAX)
        return qk__error(err, QK_EINVAL, "max_depth: must be 0 to %d", QK_DAG_NESTING_MAX);
    if (length > limit)
        return qk__error(err, QK_ETOOLARGE, "definition: %zu bytes, the limit is %zu", length,
                         limit);
    return QK_OK;
}

qk_status qk_dag_from_json(qk_dag **out, const char *text, size_t length,
                           const qk_dag_parse_options *options, qk_error *err)
{
    static const qk_dag_parse_options defaults = QK_DAG_PARSE_OPTIONS_INIT;
    qk__json_reading reading = { .options = options ? options : &defaults, .err = err };
    qk_error problem = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    *out = NULL;
    qk_status rc = check_options(reading.options, length, err);
    if (rc)
        return rc;
    if (!text || qk__json_check(text, length, &problem))
        return qk__error(err, QK_EINVAL, "not a DAG: not JSON: %s",
                         text ? problem.message : "there is no text");
    reading.max_depth =
        reading.options->max_depth ? reading.options->max_depth : QK_DAG_NESTING_MAX;
    rc = qk__json_read_dag(&dag, &reading, qk__json_whole(text, length), 1, reading.options->name);
    if (!rc)
        rc = qk_dag_validate(dag, err);
    qk__arena_dispose(&reading.arena);
    if (rc) {
        qk_dag_free(dag);
        return rc;
    }
    *out = dag;
    return QK_OK;
}
