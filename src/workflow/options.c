/*
 * Options of a task's job: its own keys, else those of the defaults; see loading.h.
 */
#include <string.h>

#include "util/json_walk.h"
#include "workflow/loading.h"

const qk__yaml_node *qk__task_field(const qk__loading *in, const qk__yaml_node *task,
                                    const char *key)
{
    const qk__yaml_node *found = qk__yaml_get(task, key, NULL);
    return found || !in->defaults ? found : qk__yaml_get(in->defaults, key, NULL);
}

static qk_status read_backoff(const qk__loading *in, qk_backoff *out, const qk__yaml_node *node)
{
    if (!node)
        return QK_OK;
    if (node->type != QK__YAML_MAP)
        return qk__read_duration(in, &out->base, node, "backoff", false);
    qk_status rc = qk__read_map(in, node, "backoff", &qk__keys_backoff);
    if (!rc)
        rc = qk__read_duration(in, &out->base, qk__yaml_get(node, "base", NULL), "base", false);
    if (!rc)
        rc = qk__read_duration(in, &out->cap, qk__yaml_get(node, "cap", NULL), "cap", true);
    const qk__yaml_node *factor = qk__yaml_get(node, "factor", NULL);
    if (rc || !factor)
        return rc;
    if (factor->type == QK__YAML_INT || factor->type == QK__YAML_FLOAT)
        out->factor = qk__json_number((qk__json_span){ factor->text, factor->length });
    else
        out->factor = 0;
    if (!(out->factor >= 1 && out->factor <= 1000))
        return qk__wrong_type(in, factor, "factor", "a number from 1 to 1000");
    return QK_OK;
}

static qk_status read_tags(const qk__loading *in, qk_job_options *job, const qk__yaml_node *node)
{
    qk__texts tags;
    qk_status rc = qk__read_texts(in, &tags, node, "tags");
    if (rc)
        return rc;
    if (tags.count > QK_TAGS_MAX)
        return qk__wrong_at(in, node, "tags: %zu of them, at most %d are kept: remove some",
                            tags.count, QK_TAGS_MAX);
    job->tags = tags.items;
    job->tag_count = tags.count;
    return QK_OK;
}

static qk_status read_numbers(const qk__loading *in, qk_job_options *job, const qk__yaml_node *task)
{
    const struct {
        const char *key;
        int *out;
        int least, most;
    } all[] = {
        { "priority", &job->priority, 0, QK_PRIORITY_MAX },
        { "max_attempts", &job->max_attempts, 1, 1000000 },
        { "max_lost", &job->max_lost, 1, 1000000 },
    };
    qk_status rc = QK_OK;
    for (size_t i = 0; !rc && i < sizeof(all) / sizeof(all[0]); i++) {
        int64_t number = *all[i].out;
        rc = qk__read_int(in, &number, qk__task_field(in, task, all[i].key), all[i].key,
                          all[i].least, all[i].most);
        *all[i].out = (int)number;
    }
    return rc;
}

qk_status qk__read_job_options(const qk__loading *in, qk_job_options *job,
                               const qk__yaml_node *task)
{
    job->max_attempts = 1;
    qk_status rc = read_numbers(in, job, task);
    if (!rc)
        rc = qk__read_text(in, &job->queue, qk__task_field(in, task, "queue"), "queue");
    if (!rc)
        rc = qk__read_duration(in, &job->timeout, qk__task_field(in, task, "timeout"), "timeout",
                               true);
    if (!rc)
        rc = read_backoff(in, &job->backoff, qk__task_field(in, task, "backoff"));
    if (!rc)
        rc = read_tags(in, job, qk__task_field(in, task, "tags"));
    if (!rc)
        rc = qk__read_bool(in, &job->strict, qk__task_field(in, task, "strict"), "strict");
    if (!rc)
        rc = qk__read_bool(in, &job->continue_on_failure,
                           qk__task_field(in, task, "continue_on_failure"), "continue_on_failure");
    return rc;
}
