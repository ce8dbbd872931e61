/*
 * The request of an SQL task with its workflow's values; see sql_values.h. values[n - 1] is bound to
 * the parameter $qk_<n>, beside those that the payload has itself. The "workflow" object stays here.
 */
#include "worker/sql_values.h"

#include <stdlib.h>
#include <string.h>

#include "dag/template.h"
#include "util/error.h"
#include "util/json.h"
#include "worker/mask.h"
#include "worker/values.h"

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for the values of an SQL task");
}

static void put_member(qk__buffer *out, bool *first, qk__json_span key, qk__json_span value)
{
    qk__buffer_text(out, *first ? "" : ",");
    *first = false;
    qk__buffer_append(out, key.at, key.length);
    qk__buffer_text(out, ":");
    qk__buffer_append(out, value.at, value.length);
}

/* The value with its type. Null is refused as elsewhere: a misspelt path must not become NULL. */
static qk_status put_value(qk__buffer *out, const qk__values *values, qk__json_span expression,
                           qk_error *err)
{
    qk__buffer text;
    size_t before = out->length;
    char *decoded = malloc(expression.length);
    if (!decoded)
        return no_memory(err);
    size_t length = qk__json_decode(decoded, expression);
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk__buffer_text(&text, "${");
    qk__buffer_append(&text, decoded, length);
    qk__buffer_text(&text, "}");
    qk_status rc = text.failed
                       ? no_memory(err)
                       : qk__template_json(out, text.data, text.length, &values->source, err);
    qk__buffer_dispose(&text);
    if (rc == QK_OK && !out->failed && out->length - before == 4 &&
        memcmp(out->data + before, "null", 4) == 0)
        rc = qk__error(err, QK_EINVAL,
                       "${%.*s} is null or missing: default(…) can give another value",
                       (int)strnlen(decoded, 200), decoded);
    free(decoded);
    return rc;
}

static qk_status put_values(qk__buffer *out, const qk__values *values, bool first, qk_error *err)
{
    qk__json_span list, item;
    qk_status rc = QK_OK;
    size_t index = 0;
    if (!qk__json_find(&list, values->workflow, "values", 6) || *list.at != '[')
        return QK_OK;
    qk__json_walk walk = qk__json_enter(list);
    while (rc == QK_OK && qk__json_element(&walk, &item)) {
        if (*item.at != '"')
            return qk__error(err, QK_EINVAL,
                             "payload of the SQL task: \"values\" must hold strings");
        qk__buffer_printf(out, "%s\"qk_%zu\":", first ? "" : ",", ++index);
        first = false;
        rc = put_value(out, values, item, err);
    }
    return rc;
}

static qk_status put_params(qk__buffer *out, const qk__values *values, qk__json_span payload,
                            qk_error *err)
{
    qk__json_span own, key, value;
    bool first = true;
    qk__buffer_text(out, ",\"params\":{");
    if (qk__json_find(&own, payload, "params", 6) && *own.at != 'n') {
        if (*own.at != '{')
            return qk__error(err, QK_EINVAL,
                             "payload of the SQL task: \"params\" must be an object here: the "
                             "workflow's values have names");
        qk__json_walk walk = qk__json_enter(own);
        while (qk__json_member(&walk, &key, &value))
            put_member(out, &first, key, value);
    }
    qk_status rc = put_values(out, values, first, err);
    qk__buffer_text(out, "}}");
    return rc;
}

static qk_status build(qk__buffer *out, const qk__values *values, qk__json_span payload,
                       qk_error *err)
{
    qk__json_span sql;
    if (!qk__json_find(&sql, payload, "sql", 3) || *sql.at != '"')
        return qk__error(err, QK_EINVAL, "payload of the SQL task: \"sql\" must be a string");
    qk__buffer_text(out, "{\"sql\":");
    qk__buffer_append(out, sql.at, sql.length);
    qk_status rc = put_params(out, values, payload, err);
    return qk__values_check(values, rc, err);
}

/* What the process takes in. */
static qk_status check_size(const char *request, size_t max, qk_error *err)
{
    size_t length = strlen(request);
    if (length <= max)
        return QK_OK;
    return qk__error(err, QK_EINVAL,
                     "the SQL task and its values have %zu bytes, %zu are allowed: hand large "
                     "values over in a file",
                     length, max);
}

qk_status qk__sql_request(char **out, qk_task *task, qk_error *err)
{
    const qk_claimed *claim = task->claim;
    qk__values values;
    qk__buffer text;
    *out = NULL;
    if (qk__json_check(claim->payload, claim->payload_length, NULL) != QK_OK)
        return qk__error(err, QK_EINVAL, "payload of the SQL task: not JSON");
    qk__json_span workflow = qk__values_find(claim->payload, claim->payload_length);
    if (!workflow.length)
        return QK_OK;
    qk__values_init(&values, task, workflow);
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk_status rc =
        build(&text, &values, qk__json_whole(claim->payload, claim->payload_length), err);
    if (rc == QK_OK) {
        *out = qk__buffer_take(&text);
        rc = *out ? check_size(*out, task->slot->pool->max_payload, err) : no_memory(err);
    }
    if (rc != QK_OK) {
        free(*out);
        *out = NULL;
    }
    qk__buffer_dispose(&text);
    qk__values_dispose(&values);
    return rc;
}

static bool find_secrets(qk__secrets *out, const qk_task *task)
{
    const qk_claimed *claim = task->claim;
    qk__json_span list, item;
    bool good = true;
    qk__json_span workflow = qk__values_find(claim->payload, claim->payload_length);
    if (!workflow.length || !qk__json_find(&list, workflow, "secrets", 7) || *list.at != '[')
        return true;
    qk__json_walk walk = qk__json_enter(list);
    while (good && qk__json_element(&walk, &item)) {
        char *name = *item.at == '"' ? malloc(item.length) : NULL;
        if (name) {
            size_t length = qk__json_decode(name, item);
            const char *value = qk__pool_variable(task->slot->pool, name, length);
            good = !value || qk__secrets_add(out, value);
        } else {
            good = *item.at != '"';
        }
        free(name);
    }
    return good;
}

char *qk__sql_mask(const qk_task *task, const char *text)
{
    qk__secrets secrets = { NULL, 0 };
    qk__buffer out, held;
    char *masked = NULL;
    qk__buffer_init(&out, SIZE_MAX / 2);
    qk__buffer_init(&held, SIZE_MAX / 2);
    qk__buffer_text(&out, "");
    if (find_secrets(&secrets, task) && qk__mask(&out, &held, &secrets, text, strlen(text), true))
        masked = qk__buffer_take(&out);
    qk__buffer_dispose(&held);
    qk__buffer_dispose(&out);
    qk__secrets_dispose(&secrets);
    return masked;
}
