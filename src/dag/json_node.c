/*
 * The keys of a node; see json_node.h. A table of readers, one per key; unknown and repeated keys are
 * errors, null means "not given". What the values mean together is settled in json_work.c.
 *
 * long file: one reader per key of a node; they share the node they read.
 */
#include "dag/json_node.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dag/names.h"
#include "util/error.h"
#include "util/time_text.h"

static const char *label_of(const qk__json_node *node)
{
    return node->name ? node->name : node->label;
}

qk_status qk__json_wrong(const qk__json_node *node, const char *wanted)
{
    return qk__dag_error(node->reading->err, QK_EINVAL, node->dag, label_of(node),
                         "\"%s\" must be %s", node->key, wanted);
}

static qk_status no_memory(const qk__json_node *node)
{
    return qk__error(node->reading->err, QK_ENOMEM, "out of memory");
}

qk_status qk__json_text(const char **out, qk__json_node *node, qk__json_span value)
{
    if (*value.at != '"')
        return qk__json_wrong(node, "a string");
    char *text = qk__arena_take(&node->reading->arena, value.length);
    if (!text)
        return no_memory(node);
    size_t length = qk__json_decode(text, value);
    if (memchr(text, '\0', length))
        return qk__json_wrong(node, "a string without \\u0000");
    *out = text;
    return QK_OK;
}

static bool is_number(qk__json_span value)
{
    return *value.at == '-' || (*value.at >= '0' && *value.at <= '9');
}

static qk_status read_int(int *out, qk__json_node *node, qk__json_span value, int least, int most)
{
    char wanted[64];
    double number = is_number(value) ? qk__json_number(value) : NAN;
    if (!(number >= least && number <= most) || number != floor(number)) {
        snprintf(wanted, sizeof(wanted), "a whole number from %d to %d", least, most);
        return qk__json_wrong(node, wanted);
    }
    *out = (int)number;
    return QK_OK;
}

static qk_status read_bool(bool *out, qk__json_node *node, qk__json_span value)
{
    if (*value.at != 't' && *value.at != 'f')
        return qk__json_wrong(node, "true or false");
    *out = *value.at == 't';
    return QK_OK;
}

static qk_status read_seconds(qk_duration *out, qk__json_node *node, qk__json_span value)
{
    double seconds = is_number(value) ? qk__json_number(value) : NAN;
    if (!(seconds >= 0 && seconds <= 100.0 * 366 * 86400))
        return qk__json_wrong(node, "seconds from 0, at most 100 years");
    *out = qk_us((int64_t)(seconds * 1e6 + 0.5));
    return QK_OK;
}

static qk_status read_name(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->name, node, value);
}

static qk_status read_kind(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->kind, node, value);
}

static qk_status read_factory(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->factory, node, value);
}

static qk_status read_from(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->from, node, value);
}

static qk_status read_file(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->file, node, value);
}

static qk_status read_sql(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->sql, node, value);
}

static qk_status read_when(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->options.when, node, value);
}

static qk_status read_store(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->options.store, node, value);
}

static qk_status read_queue(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->job.queue, node, value);
}

static qk_status read_unique(qk__json_node *node, qk__json_span value)
{
    return qk__json_text(&node->job.unique_key, node, value);
}

static qk_status keep_payload(qk__json_node *node, qk__json_span value)
{
    node->payload = value;
    return QK_OK;
}

static qk_status keep_params(qk__json_node *node, qk__json_span value)
{
    node->params = value;
    return QK_OK;
}

static qk_status keep_command(qk__json_node *node, qk__json_span value)
{
    node->command = value;
    return *value.at == '[' ? QK_OK : qk__json_wrong(node, "a list of strings");
}

static qk_status keep_cwd(qk__json_node *node, qk__json_span value)
{
    node->cwd = value;
    return QK_OK;
}

static qk_status keep_env(qk__json_node *node, qk__json_span value)
{
    node->env = value;
    return QK_OK;
}

static qk_status keep_slots(qk__json_node *node, qk__json_span value)
{
    node->slots = value;
    return QK_OK;
}

static qk_status keep_child(qk__json_node *node, qk__json_span value)
{
    node->child = value;
    return *value.at == '{' ? QK_OK : qk__json_wrong(node, "a definition, an object");
}

static qk_status keep_with(qk__json_node *node, qk__json_span value)
{
    node->with = value;
    return *value.at == '{' ? QK_OK : qk__json_wrong(node, "an object");
}

/* A list of strings into the arena. */
static qk_status read_list(const char *const **out, size_t *count, qk__json_node *node,
                           qk__json_span value)
{
    qk__json_span item;
    size_t total = 0;
    if (*value.at != '[')
        return qk__json_wrong(node, "a list of strings");
    qk__json_walk walk = qk__json_enter(value);
    while (qk__json_element(&walk, &item))
        total++;
    const char **items = qk__arena_take(&node->reading->arena, (total + 1) * sizeof(*items));
    if (!items)
        return no_memory(node);
    walk = qk__json_enter(value);
    for (size_t i = 0; qk__json_element(&walk, &item); i++) {
        qk_status rc = qk__json_text(&items[i], node, item);
        if (rc)
            return rc;
    }
    *out = items;
    *count = total;
    return QK_OK;
}

static qk_status read_needs(qk__json_node *node, qk__json_span value)
{
    return read_list(&node->options.after, &node->options.after_count, node, value);
}

static qk_status read_tags(qk__json_node *node, qk__json_span value)
{
    return read_list(&node->job.tags, &node->job.tag_count, node, value);
}

static qk_status read_mode(qk__json_node *node, qk__json_span value)
{
    const char *text = NULL;
    qk_status rc = qk__json_text(&text, node, value);
    if (!rc && qk_dependency_mode_parse(&node->job.mode, text))
        rc = qk__json_wrong(node, "all, any, all_done, one_failed or none_failed");
    return rc;
}

static qk_status read_continue(qk__json_node *node, qk__json_span value)
{
    return read_bool(&node->job.continue_on_failure, node, value);
}

static qk_status read_strict(qk__json_node *node, qk__json_span value)
{
    return read_bool(&node->job.strict, node, value);
}

static qk_status read_ignore(qk__json_node *node, qk__json_span value)
{
    return read_bool(&node->job.ignore_backpressure, node, value);
}

static qk_status read_priority(qk__json_node *node, qk__json_span value)
{
    return read_int(&node->job.priority, node, value, 0, QK_PRIORITY_MAX);
}

static qk_status read_max_attempts(qk__json_node *node, qk__json_span value)
{
    return read_int(&node->job.max_attempts, node, value, 1, INT_MAX);
}

static qk_status read_max_lost(qk__json_node *node, qk__json_span value)
{
    return read_int(&node->job.max_lost, node, value, 1, INT_MAX);
}

static qk_status read_delay(qk__json_node *node, qk__json_span value)
{
    return read_seconds(&node->job.delay, node, value);
}

static qk_status read_time(qk__json_node *node, qk__json_span value)
{
    const char *text = NULL;
    qk_status rc = qk__json_text(&text, node, value);
    if (!rc && !qk__time_parse(&node->job.execute_after, text, strlen(text)))
        rc = qk__json_wrong(node, "a time such as 2026-11-01T02:00:00Z");
    return rc;
}

static qk_status read_timeout_seconds(qk__json_node *node, qk__json_span value)
{
    qk_status rc = read_seconds(&node->job.timeout, node, value);
    if (!rc && node->job.timeout.us == 0)
        rc = qk__json_wrong(node, "above 0: write \"timeout\":\"none\" for no limit");
    return rc;
}

static qk_status read_timeout(qk__json_node *node, qk__json_span value)
{
    if (!qk__json_equals(value, "none", 4) || *value.at != '"')
        return qk__json_wrong(node, "\"none\": seconds belong in \"timeout_seconds\"");
    node->job.timeout = qk_forever();
    return QK_OK;
}

static qk_status read_backoff_member(qk__json_node *node, qk__json_span key, qk__json_span value)
{
    qk_backoff *backoff = &node->job.backoff;
    if (qk__json_equals(key, "base_seconds", 12))
        return read_seconds(&backoff->base, node, value);
    if (qk__json_equals(key, "cap_seconds", 11))
        return read_seconds(&backoff->cap, node, value);
    if (qk__json_equals(key, "cap", 3) && *value.at == '"' && qk__json_equals(value, "none", 4)) {
        backoff->cap = qk_forever();
        return QK_OK;
    }
    if (qk__json_equals(key, "factor", 6) && is_number(value)) {
        backoff->factor = qk__json_number(value);
        return QK_OK;
    }
    return qk__json_wrong(node, "an object with base_seconds, factor and cap_seconds, all numbers");
}

static qk_status read_backoff(qk__json_node *node, qk__json_span value)
{
    qk__json_span key;
    qk__json_span member;
    qk_status rc = QK_OK;
    if (is_number(value)) {
        rc = read_seconds(&node->job.backoff.base, node, value);
        if (node->job.backoff.cap.us < node->job.backoff.base.us)
            node->job.backoff.cap = node->job.backoff.base;
        return rc;
    }
    if (*value.at != '{')
        return qk__json_wrong(node, "seconds, or an object with base_seconds, factor, cap_seconds");
    node->job.backoff.cap = qk_us(0);
    qk__json_walk walk = qk__json_enter(value);
    while (!rc && qk__json_member(&walk, &key, &member))
        rc = read_backoff_member(node, key, member);
    return rc;
}

static const struct {
    const char *name;
    qk_status (*read)(qk__json_node *node, qk__json_span value);
} keys[] = {
    { "name", read_name },
    { "kind", read_kind },
    { "payload", keep_payload },
    { "command", keep_command },
    { "cwd", keep_cwd },
    { "env", keep_env },
    { "slots", keep_slots },
    { "sql", read_sql },
    { "factory", read_factory },
    { "params", keep_params },
    { "dag", keep_child },
    { "dag_from", read_from },
    { "file", read_file },
    { "with", keep_with },
    { "store", read_store },
    { "needs", read_needs },
    { "when", read_when },
    { "mode", read_mode },
    { "continue_on_failure", read_continue },
    { "queue", read_queue },
    { "priority", read_priority },
    { "delay_seconds", read_delay },
    { "execute_after", read_time },
    { "max_attempts", read_max_attempts },
    { "max_lost", read_max_lost },
    { "timeout", read_timeout },
    { "timeout_seconds", read_timeout_seconds },
    { "backoff", read_backoff },
    { "unique_key", read_unique },
    { "tags", read_tags },
    { "ignore_backpressure", read_ignore },
    { "strict", read_strict },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static qk_status unknown_key(const qk__json_node *node, qk__json_span key)
{
    char name[48];
    const char *names[KEYS];
    snprintf(name, sizeof(name), "%.*s", (int)(key.length - 2 < 40 ? key.length - 2 : 40),
             key.at + 1);
    for (size_t i = 0; i < KEYS; i++)
        names[i] = keys[i].name;
    const char *nearest = qk__nearest(names, KEYS, name);
    return qk__dag_error(node->reading->err, QK_EINVAL, node->dag, label_of(node),
                         "unknown key \"%s\": %s%s%s", name,
                         nearest ? "did you mean \"" : "remove it", nearest ? nearest : "",
                         nearest ? "\"?" : "");
}

static qk_status read_member(qk__json_node *node, uint64_t *seen, qk__json_span key,
                             qk__json_span value)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (!qk__json_equals(key, keys[i].name, strlen(keys[i].name)))
            continue;
        node->key = keys[i].name;
        if (*seen >> i & 1)
            return qk__dag_error(node->reading->err, QK_EINVAL, node->dag, label_of(node),
                                 "\"%s\" stands there twice", node->key);
        *seen |= UINT64_C(1) << i;
        return *value.at == 'n' ? QK_OK : keys[i].read(node, value);
    }
    return unknown_key(node, key);
}

qk_status qk__json_read_node(qk__json_reading *reading, qk_dag *dag, qk__json_span object,
                             int depth)
{
    static const qk_job_options job = QK_JOB_OPTIONS_INIT;
    static const qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk__json_node node = { .reading = reading, .dag = dag, .depth = depth, .key = "name" };
    qk__json_span key;
    qk__json_span value;
    uint64_t seen = 0;
    qk_status rc = QK_OK;

    node.job = job;
    node.options = options;
    node.options.job = &node.job;
    snprintf(node.label, sizeof(node.label), "%zu", dag->count + 1);
    if (*object.at != '{')
        return qk__dag_error(reading->err, QK_EINVAL, dag, node.label, "must be an object");
    /* The name first, so that every message can tell it. */
    if (qk__json_find(&value, object, "name", 4) && *value.at != 'n')
        rc = read_name(&node, value);
    qk__json_walk walk = qk__json_enter(object);
    while (!rc && qk__json_member(&walk, &key, &value))
        rc = read_member(&node, &seen, key, value);
    return rc ? rc : qk__json_add_work(&node);
}
