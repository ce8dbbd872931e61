/*
 * Copies of job options; see job_copy.h. Large DAGs have few kinds of options, so a copy is made
 * only when something differs from the last one: compared by content, since callers reuse memory.
 */
#include "dag/job_copy.h"

#include <string.h>

#include "dag/names.h"
#include "queue/spec.h"
#include "queue/validate.h"
#include "util/error.h"

static const qk_job_options default_options = QK_JOB_OPTIONS_INIT;

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_numbers(const qk_job_options *a, const qk_job_options *b)
{
    return a->priority == b->priority && a->delay.us == b->delay.us &&
           a->execute_after.us == b->execute_after.us && a->max_attempts == b->max_attempts &&
           a->max_lost == b->max_lost && a->timeout.us == b->timeout.us &&
           a->backoff.base.us == b->backoff.base.us && a->backoff.factor == b->backoff.factor &&
           a->backoff.cap.us == b->backoff.cap.us && a->mode == b->mode &&
           a->continue_on_failure == b->continue_on_failure &&
           a->ignore_backpressure == b->ignore_backpressure && a->strict == b->strict;
}

static bool same_tags(const qk_job_options *a, const qk_job_options *b)
{
    if (a->tag_count != b->tag_count)
        return false;
    for (size_t i = 0; i < a->tag_count; i++) {
        if (strcmp(a->tags[i], b->tags[i]) != 0)
            return false;
    }
    return true;
}

/* Options with needs of their own are not shared. */
static bool alike(const qk_job_options *a, const qk_job_options *b)
{
    return a->needs_count == 0 && b->needs_count == 0 && same_numbers(a, b) &&
           same_text(a->queue, b->queue) && same_text(a->unique_key, b->unique_key) &&
           same_tags(a, b);
}

static qk_status check(const qk_dag *dag, const char *node, const qk_job_options *given,
                       qk_error *err)
{
    qk_error inner = QK_ERROR_INIT;
    qk_status rc = qk__spec_check_options(given, &inner);
    if (rc)
        return qk__dag_error(err, rc, dag, node, "%s", inner.message);
    if (!qk_id_is_none(given->id))
        return qk__dag_error(err, QK_EINVAL, dag, node, "id: is made when the DAG is submitted");
    if (given->name)
        return qk__dag_error(err, QK_EINVAL, dag, node, "name: a node has its own already");
    for (size_t i = 0; i < given->needs_count; i++) {
        if (qk_id_is_none(given->needs[i]))
            return qk__dag_error(err, QK_EINVAL, dag, node, "needs: id %zu is empty", i);
    }
    return QK_OK;
}

/* NULL for NULL; *good turns false without memory. */
static const char *copy_text(qk_dag *dag, const char *text, bool *good)
{
    const char *copy = text ? qk__arena_text(&dag->arena, text, strlen(text)) : NULL;
    *good = *good && (copy || !text);
    return copy;
}

static void copy_tags(qk_job_options *copy, qk_dag *dag, bool *good)
{
    const char **tags = qk__arena_take(&dag->arena, (copy->tag_count + 1) * sizeof(*tags));
    *good = *good && tags;
    for (size_t i = 0; tags && i < copy->tag_count; i++)
        tags[i] = copy_text(dag, copy->tags[i], good);
    copy->tags = tags;
}

static void copy_needs(qk_job_options *copy, qk_dag *dag, const qk_id *ids, size_t count,
                       bool *good)
{
    size_t total = copy->needs_count + count;
    qk_id *needs = qk__arena_take(&dag->arena, (total + 1) * sizeof(*needs));
    *good = *good && needs;
    if (!needs)
        return;
    if (copy->needs_count)
        memcpy(needs, copy->needs, copy->needs_count * sizeof(*needs));
    if (count)
        memcpy(needs + copy->needs_count, ids, count * sizeof(*needs));
    copy->needs = needs;
    copy->needs_count = total;
}

qk_status qk__job_copy(const qk_job_options **out, qk_dag *dag, const char *node,
                       const qk_job_options *given, const qk_id *ids, size_t id_count,
                       qk_error *err)
{
    bool good = true;
    qk_status rc = given ? check(dag, node, given, err) : QK_OK;
    if (rc)
        return rc;
    if (!given)
        given = &default_options;
    *out = dag->last_job ? dag->last_job : &default_options;
    if (id_count == 0 && alike(given, *out))
        return QK_OK;
    qk_job_options *copy = qk__arena_take(&dag->arena, sizeof(*copy));
    if (!copy)
        return qk__error(err, QK_ENOMEM, "out of memory");
    *copy = *given;
    copy->queue = copy_text(dag, given->queue, &good);
    copy->unique_key = copy_text(dag, given->unique_key, &good);
    copy->name = NULL;
    copy_tags(copy, dag, &good);
    copy_needs(copy, dag, ids, id_count, &good);
    if (!good)
        return qk__error(err, QK_ENOMEM, "out of memory");
    *out = copy;
    if (copy->needs_count == 0)
        dag->last_job = copy;
    return QK_OK;
}
