/*
 * Conditions of nodes: evaluated when the node is claimed, over its parents' results, before anyone
 * gets it. So every worker, wherever it is, gets only jobs that are to run.
 */
#include "store/embedded/embedded_internal.h"

#include "dag/condition.h"
#include "util/buffer.h"
#include "util/error.h"

#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

struct asking {
    qk_id job, run;
    int32_t attempt;
    char *when;
    bool holds;
};

struct evidence {
    struct embedded *store;
    qk__upstream *upstream;
    char **large; /* by index of upstream; NULL: not fetched */
    qk_run *run;
    qk__buffer about_run;
    qk_status rc;
    qk_error *err;
};

static size_t find(const struct evidence *evidence, const char *node)
{
    for (size_t i = 0; i < evidence->upstream->count; i++) {
        const char *name = evidence->upstream->items[i].node;
        if (name != NULL && strcmp(name, node) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static const char *result_of(void *user, size_t *length, const char *node)
{
    struct evidence *evidence = user;
    size_t at = find(evidence, node);
    if (at == SIZE_MAX) {
        return NULL;
    }
    const qk__upstream_node *item = &evidence->upstream->items[at];
    if (item->large && evidence->large[at] == NULL && evidence->rc == QK_OK) {
        evidence->rc =
            embedded_result(&evidence->store->base, &evidence->large[at], item->id, evidence->err);
    }
    const char *text = item->large ? evidence->large[at] : item->result;
    *length = text == NULL ? 0 : strlen(text);
    return text;
}

static bool status_of(void *user, qk_job_status *out, const char *node)
{
    const struct evidence *evidence = user;
    size_t at = find(evidence, node);
    if (at != SIZE_MAX) {
        *out = evidence->upstream->items[at].status;
    }
    return at != SIZE_MAX;
}

static const char *context_of(void *user, size_t *length, qk__context context)
{
    struct evidence *evidence = user;
    const char *text = NULL;
    if (context == QK__CONTEXT_PARAMS && evidence->run != NULL) {
        text = evidence->run->params;
    } else if (context == QK__CONTEXT_RUN && evidence->run != NULL) {
        char id[QK_ID_TEXT_SIZE];
        qk__buffer_clear(&evidence->about_run);
        qk__buffer_printf(&evidence->about_run,
                          "{\"id\":\"%s\",\"name\":", qk_id_format(id, evidence->run->id));
        qk__buffer_json_string(&evidence->about_run, evidence->run->name,
                               strlen(evidence->run->name));
        qk__buffer_text(&evidence->about_run, "}");
        text = evidence->about_run.failed ? NULL : evidence->about_run.data;
    }
    *length = text == NULL ? 0 : strlen(text);
    return text;
}

static qk_status gather(struct evidence *evidence, const struct asking *ask,
                        const qk__condition *condition)
{
    qk_store *base = &evidence->store->base;
    qk_status rc = embedded_upstream(base, &evidence->upstream, ask->job, evidence->err);
    if (rc != QK_OK) {
        return rc;
    }
    evidence->large = calloc(evidence->upstream->count + 1, sizeof *evidence->large);
    if (evidence->large == NULL) {
        return no_memory(evidence->err);
    }
    bool run = qk__condition_uses(condition, QK__CONTEXT_PARAMS) ||
               qk__condition_uses(condition, QK__CONTEXT_RUN);
    return run && !qk_id_is_none(ask->run)
               ? embedded_run_get(base, &evidence->run, ask->run, evidence->err)
               : QK_OK;
}

/* Without `lock`. */
static qk_status evaluate(struct embedded *store, struct asking *ask, qk_error *err)
{
    struct evidence evidence = { .store = store, .err = err };
    qk__condition *condition = NULL;
    qk__condition_source source = { result_of, status_of, context_of, &evidence };
    qk__buffer_init(&evidence.about_run, 1 << 16);
    qk_status rc = qk__condition_parse(&condition, ask->when, strlen(ask->when), err);
    if (rc == QK_EINVAL || rc == QK_ETOOLARGE) {
        ask->holds = false; /* it was checked when it was submitted, by a version that knew more */
        rc = QK_OK;
    } else if (rc == QK_OK && (rc = gather(&evidence, ask, condition)) == QK_OK) {
        rc = qk__condition_eval(&ask->holds, condition, &source);
        rc = rc == QK_OK ? evidence.rc : no_memory(err);
    }
    for (size_t i = 0; evidence.large != NULL && i < evidence.upstream->count; i++) {
        free(evidence.large[i]);
    }
    free(evidence.large);
    free(evidence.upstream);
    qk_run_free(evidence.run);
    qk__buffer_dispose(&evidence.about_run);
    qk__condition_free(condition);
    return rc;
}

static struct asking *ask_of(struct asking *asking, size_t count, qk_id job)
{
    for (size_t i = 0; i < count; i++) {
        if (qk_id_compare(asking[i].job, job) == 0) {
            return &asking[i];
        }
    }
    return NULL;
}

/* Those whose condition is false are skipped; those lost meanwhile are left out. With `lock` held. */
static size_t keep_true(struct embedded *store, qk__grant *grants, size_t count,
                        struct asking *asking, size_t asked)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct asking *ask = ask_of(asking, asked, grants[i].id);
        if (ask != NULL && !ask->holds) {
            (void)qk__engine_untrue(store->engine, embedded_now(store), ask->job, ask->attempt);
        } else if (qk__engine_regrant(store->engine, &grants[i])) {
            grants[kept++] = grants[i];
        }
    }
    return kept;
}

qk_status conditions_apply(struct embedded *store, qk__grant *grants, size_t *count, qk_error *err)
{
    size_t asked = 0;
    qk_status rc = QK_OK;
    for (size_t i = 0; i < *count; i++) {
        asked += grants[i].when != NULL;
    }
    struct asking *asking = asked == 0 ? NULL : calloc(asked, sizeof *asking);
    if (asking == NULL) {
        return asked == 0 ? QK_OK : no_memory(err);
    }
    asked = 0;
    for (size_t i = 0; i < *count; i++) {
        if (grants[i].when != NULL) {
            asking[asked++] = (struct asking){ .job = grants[i].id,
                                               .run = grants[i].run,
                                               .attempt = grants[i].attempt,
                                               .when = strdup(grants[i].when) };
            rc = asking[asked - 1].when == NULL ? no_memory(err) : rc;
        }
    }
    announce(store);
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; rc == QK_OK && i < asked; i++) {
        rc = evaluate(store, &asking[i], err);
    }
    pthread_mutex_lock(&store->lock);
    if (rc == QK_OK) {
        *count = keep_true(store, grants, *count, asking, asked);
    }
    for (size_t i = 0; i < asked; i++) {
        free(asking[i].when);
    }
    free(asking);
    announce(store);
    return rc;
}
