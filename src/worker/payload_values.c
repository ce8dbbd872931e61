/*
 * Payloads of registered kinds in workflows: {"$workflow": {…}, "payload": …}, where strings of the
 * inner payload hold ${…}. The handler sees what that amounts to. The slot's thread; the claim that
 * the keeper looks at is exchanged under the slot's lock.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/template.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/json.h"
#include "worker/values.h"

static const char start[] = "{\"$workflow\":";

static qk_status evaluate(char **out, qk_task *task, qk_error *err)
{
    const qk_claimed *claim = task->claim;
    qk__json_span workflow, inner;
    qk__values values;
    qk__buffer text;
    if (qk__json_check(claim->payload, claim->payload_length, NULL) != QK_OK)
        return qk__error(err, QK_EINVAL, "payload: not JSON");
    qk__json_span whole = qk__json_whole(claim->payload, claim->payload_length);
    if (!qk__json_find(&workflow, whole, "$workflow", 9) || *workflow.at != '{' ||
        !qk__json_find(&inner, whole, "payload", 7))
        return qk__error(err, QK_EINVAL, "payload: \"$workflow\" stands without \"payload\"");
    qk__values_init(&values, task, workflow);
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk_status rc = qk__template_expand(&text, inner.at, inner.length, &values.source, err);
    rc = qk__values_check(&values, rc, err);
    *out = rc == QK_OK ? qk__buffer_take(&text) : NULL;
    if (rc == QK_OK && !*out)
        rc = qk__error(err, QK_ENOMEM, "out of memory for a payload's values");
    qk__buffer_dispose(&text);
    qk__values_dispose(&values);
    return rc;
}

qk_status qk__slot_put_values(qk__slot *slot, qk_error *err)
{
    qk_task *task = &slot->task;
    const qk_claimed *claim = task->claim;
    char *payload = NULL;
    if (claim->payload_length < sizeof(start) ||
        memcmp(claim->payload, start, sizeof(start) - 1) != 0)
        return QK_OK;
    qk_status rc = evaluate(&payload, task, err);
    if (rc == QK_EINVAL)
        qk_task_permanent(task);
    if (rc != QK_OK)
        return rc;
    pthread_mutex_lock(&slot->lock);
    free(slot->valued_payload);
    slot->valued_payload = payload;
    slot->valued = *claim;
    slot->valued.payload = payload;
    slot->valued.payload_length = strlen(payload);
    task->claim = &slot->valued;
    pthread_mutex_unlock(&slot->lock);
    return QK_OK;
}
