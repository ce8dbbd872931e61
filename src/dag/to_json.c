/*
 * The JSON form of a DAG: keys in a fixed order, what is default left out, payloads as they were
 * written without white space. The same DAG always gives the same text. docs/dag-json.md.
 *
 * Recursion is over sub-DAGs in place only, at most QK_DAG_NESTING_MAX deep.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/json_walk.h"
#include "util/time_text.h"

#define TEXT_MAX ((size_t)1 << 31)

static void put_dag(qk__buffer *text, const qk_dag *dag);

/* ,"key": — the first of an object has no comma. */
static void put_key(qk__buffer *text, const char *key)
{
    if (text->length && text->data[text->length - 1] != '{')
        qk__buffer_append(text, ",", 1);
    qk__buffer_append(text, "\"", 1);
    qk__buffer_text(text, key);
    qk__buffer_append(text, "\":", 2);
}

static void put_text(qk__buffer *text, const char *key, const char *value)
{
    if (!value)
        return;
    put_key(text, key);
    qk__buffer_json_string(text, value, strlen(value));
}

static void put_json(qk__buffer *text, const char *key, const char *value)
{
    if (!value)
        return;
    put_key(text, key);
    qk__json_compact(text, qk__json_whole(value, strlen(value)));
}

static void put_int(qk__buffer *text, const char *key, int value, int normal)
{
    if (value == normal)
        return;
    put_key(text, key);
    qk__buffer_printf(text, "%d", value);
}

static void put_true(qk__buffer *text, const char *key, bool value)
{
    if (!value)
        return;
    put_key(text, key);
    qk__buffer_text(text, "true");
}

static void put_seconds(qk__buffer *text, const char *key, qk_duration value)
{
    put_key(text, key);
    qk__buffer_printf(text, "%lld", (long long)(value.us / 1000000));
    int rest = (int)(value.us % 1000000);
    int digits = 6;
    if (!rest)
        return;
    for (; rest % 10 == 0; rest /= 10)
        digits--;
    qk__buffer_printf(text, ".%0*d", digits, rest);
}

static void put_timeout(qk__buffer *text, qk_duration timeout)
{
    if (timeout.us == QK_FOREVER_US)
        put_text(text, "timeout", "none");
    else if (timeout.us)
        put_seconds(text, "timeout_seconds", timeout);
}

static void put_backoff(qk__buffer *text, const qk_backoff *backoff)
{
    static const qk_backoff normal = QK_BACKOFF_DEFAULT;
    if (backoff->base.us == normal.base.us && backoff->factor == normal.factor &&
        backoff->cap.us == normal.cap.us)
        return;
    put_key(text, "backoff");
    qk__buffer_text(text, "{");
    put_seconds(text, "base_seconds", backoff->base);
    put_key(text, "factor");
    qk__json_put_number(text, backoff->factor);
    if (backoff->cap.us && backoff->cap.us != QK_FOREVER_US)
        put_seconds(text, "cap_seconds", backoff->cap);
    else if (backoff->cap.us)
        put_text(text, "cap", "none");
    qk__buffer_text(text, "}");
}

static void put_tags(qk__buffer *text, const qk_job_options *job)
{
    if (job->tag_count == 0)
        return;
    put_key(text, "tags");
    for (size_t i = 0; i < job->tag_count; i++) {
        qk__buffer_text(text, i ? "," : "[");
        qk__buffer_json_string(text, job->tags[i], strlen(job->tags[i]));
    }
    qk__buffer_text(text, "]");
}

static void put_job(qk__buffer *text, const qk_job_options *job)
{
    char time[QK__TIME_TEXT_SIZE];
    if (job->mode != QK_MODE_ALL)
        put_text(text, "mode", qk_dependency_mode_name(job->mode));
    put_true(text, "continue_on_failure", job->continue_on_failure);
    put_text(text, "queue", job->queue);
    put_int(text, "priority", job->priority, QK_PRIORITY_DEFAULT);
    if (job->delay.us)
        put_seconds(text, "delay_seconds", job->delay);
    if (job->execute_after.us)
        put_text(text, "execute_after", qk__time_format(time, job->execute_after));
    put_int(text, "max_attempts", job->max_attempts, 0);
    put_int(text, "max_lost", job->max_lost, 0);
    put_timeout(text, job->timeout);
    put_backoff(text, &job->backoff);
    put_text(text, "unique_key", job->unique_key);
    put_tags(text, job);
    put_true(text, "ignore_backpressure", job->ignore_backpressure);
    put_true(text, "strict", job->strict);
}

/* Names as they were given, then the jobs outside. */
static void put_needs(qk__buffer *text, const qk_dag *dag, const qk__node *node)
{
    char id[QK_ID_TEXT_SIZE];
    if (node->need_count + node->job->needs_count == 0)
        return;
    put_key(text, "needs");
    for (uint32_t i = 0; i < node->need_count; i++) {
        const qk__need *need = &dag->needs[node->need_at + i];
        qk__buffer_text(text, i ? "," : "[");
        qk__buffer_json_string(text, need->name, need->length);
    }
    for (size_t i = 0; i < node->job->needs_count; i++)
        qk__buffer_printf(text, "%s\"%s\"", i + node->need_count ? "," : "[",
                          qk_id_format(id, node->job->needs[i]));
    qk__buffer_text(text, "]");
}

/* The one member of an object, if it has that key and no other. */
static bool only_member(qk__json_span *out, const char *payload, size_t length, const char *key)
{
    qk__json_span name;
    qk__json_span whole = qk__json_whole(payload, length);
    if (*whole.at != '{')
        return false;
    qk__json_walk walk = qk__json_enter(whole);
    qk__json_span further;
    return qk__json_member(&walk, &name, out) && qk__json_equals(name, key, strlen(key)) &&
           !qk__json_member(&walk, &name, &further);
}

static void put_work(qk__buffer *text, const qk__node *node)
{
    qk__json_span inner;
    bool brief =
        (node->type == QK_NODE_COMMAND &&
         only_member(&inner, node->payload, node->payload_length, "argv")) ||
        (node->type == QK_NODE_SQL &&
         only_member(&inner, node->payload, node->payload_length, "sql") && *inner.at == '"');
    if (brief) {
        put_key(text, node->kind);
        qk__json_compact(text, inner);
        return;
    }
    put_text(text, "kind", node->kind);
    if (strcmp(node->payload, "null") != 0)
        put_json(text, "payload", node->payload);
}

static void put_subdag(qk__buffer *text, const qk__node *node)
{
    switch ((qk_subdag_source)node->source) {
    case QK_SUBDAG_NONE:
        break;
    case QK_SUBDAG_FACTORY:
        put_text(text, "factory", node->subject);
        put_json(text, "params", node->payload);
        break;
    case QK_SUBDAG_IN_PLACE:
        put_key(text, "dag");
        put_dag(text, node->child);
        put_json(text, "with", node->payload);
        break;
    case QK_SUBDAG_DYNAMIC:
        put_text(text, "dag_from", node->subject);
        break;
    case QK_SUBDAG_FILE:
        put_text(text, "file", node->subject);
        put_json(text, "with", node->payload);
        break;
    }
    put_text(text, "store", node->store);
}

static void put_node(qk__buffer *text, const qk_dag *dag, const qk__node *node)
{
    qk__buffer_text(text, "{");
    put_text(text, "name", node->name);
    if (node->type == QK_NODE_DAG)
        put_subdag(text, node);
    else
        put_work(text, node);
    put_needs(text, dag, node);
    put_text(text, "when", node->when);
    put_job(text, node->job);
    qk__buffer_text(text, "}");
}

static void put_dag(qk__buffer *text, const qk_dag *dag)
{
    qk__buffer_text(text, "{");
    put_text(text, "name", dag->name);
    put_text(text, "description", dag->description);
    put_json(text, "metadata", dag->metadata);
    put_json(text, "params", dag->params);
    put_key(text, "nodes");
    qk__buffer_text(text, "[");
    for (size_t i = 0; i < dag->count && !text->failed; i++) {
        qk__buffer_text(text, i ? "," : "");
        put_node(text, dag, &dag->nodes[i]);
    }
    qk__buffer_text(text, "]}");
}

static qk_status publish(char **out, qk__buffer *text, qk_error *err)
{
    *out = qk__buffer_take(text);
    return *out ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
}

qk_status qk_dag_to_json(char **out, qk_dag *dag, qk_error *err)
{
    qk__buffer text;
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, err);
    if (rc)
        return rc;
    qk__buffer_init(&text, TEXT_MAX);
    put_dag(&text, dag);
    return publish(out, &text, err);
}

qk_status qk__dag_payload(char **out, const qk_dag *dag, size_t index, qk_error *err)
{
    const qk__node *node = &dag->nodes[index];
    qk__buffer text;
    qk__buffer_init(&text, TEXT_MAX);
    if (node->type != QK_NODE_DAG) {
        qk__buffer_append(&text, node->payload, node->payload_length);
        return publish(out, &text, err);
    }
    qk__buffer_text(&text, "{");
    put_subdag(&text, node);
    qk__buffer_text(&text, "}");
    return publish(out, &text, err);
}
