/*
 * Claims: taken under `lock`, handed out once their gate is durable.
 */
#include "store/embedded/embedded_internal.h"

#include "util/error.h"

#include <stdlib.h>
#include <string.h>

#define GRANTS_ON_STACK 16

static bool is_interrupted(const struct embedded *store, const char *worker_id)
{
    for (size_t i = 0; i < store->interrupted_count; i++) {
        if (strcmp(store->interrupted[i], worker_id) == 0) {
            return true;
        }
    }
    return false;
}

void embedded_interrupt(qk_store *base, const char *worker_id, bool on)
{
    struct embedded *store = embedded_of(base);
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->interrupted_count; i++) {
        if (strcmp(store->interrupted[i], worker_id) == 0) {
            free(store->interrupted[i]);
            store->interrupted[i] = store->interrupted[--store->interrupted_count];
            break;
        }
    }
    if (on) {
        char *copy = strdup(worker_id);
        char **grown = realloc(store->interrupted, (store->interrupted_count + 1) * sizeof *grown);
        store->interrupted = grown == NULL ? store->interrupted : grown;
        if (copy != NULL && grown != NULL) {
            store->interrupted[store->interrupted_count++] = copy;
        } else {
            free(copy); /* its waits end by themselves */
        }
    }
    pthread_cond_broadcast(&store->ready);
    pthread_mutex_unlock(&store->lock);
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static char *put_text(char **at, const char *text, size_t length)
{
    char *start = *at;
    memcpy(start, text, length);
    start[length] = '\0';
    *at += length + 1;
    return start;
}

static const qk__text *payload_of(const qk__grant *grant, const qk__row_set *fetched,
                                  qk__text *resident)
{
    if (grant->payload != NULL) {
        *resident = (qk__text){ grant->payload, grant->payload_length };
        return resident;
    }
    for (size_t i = 0; i < fetched->count; i++) {
        if (memcmp(fetched->rows[i].id.bytes, grant->id.bytes, sizeof grant->id.bytes) == 0) {
            return &fetched->rows[i].payload;
        }
    }
    return NULL;
}

static void fill_item(qk_claimed *item, const qk__grant *grant, const qk__text *payload,
                      const char *worker, char **at)
{
    item->lease = (qk_lease){ grant->id, grant->attempt, worker };
    item->kind = put_text(at, grant->kind, strlen(grant->kind));
    item->queue = put_text(at, grant->queue, strlen(grant->queue));
    item->name = grant->name == NULL ? NULL : put_text(at, grant->name, strlen(grant->name));
    item->node_name = grant->node == NULL ? NULL : put_text(at, grant->node, strlen(grant->node));
    item->run_id = grant->run;
    item->run_depth = grant->depth;
    item->payload = put_text(at, payload->data, payload->length);
    item->payload_length = payload->length;
    item->attempts = grant->attempts;
    item->max_attempts = grant->max_attempts;
    item->timeout = qk_us(grant->timeout_us);
    item->claimed_at.us = grant->claimed_us;
    item->strict = grant->strict;
}

/* One block: the set, its items, their text. NULL: out of memory, or a payload is missing. */
static qk_claims *pack(const qk__grant *grants, size_t count, const char *worker,
                       const qk__row_set *fetched)
{
    static const qk__text none = { "null", 4 };
    qk__text resident;
    size_t size = sizeof(qk_claims) + count * sizeof(qk_claimed) + strlen(worker) + 1;
    for (size_t i = 0; i < count; i++) {
        const qk__text *payload = payload_of(&grants[i], fetched, &resident);
        size += text_size(grants[i].kind) + text_size(grants[i].queue) + text_size(grants[i].name) +
                text_size(grants[i].node) + (payload == NULL ? none.length : payload->length) + 1;
    }
    qk_claims *claims = malloc(size);
    if (claims == NULL) {
        return NULL;
    }
    claims->count = count;
    claims->items = (qk_claimed *)(claims + 1);
    char *at = (char *)(claims->items + count);
    const char *id = put_text(&at, worker, strlen(worker));
    for (size_t i = 0; i < count; i++) {
        const qk__text *payload = payload_of(&grants[i], fetched, &resident);
        fill_item(&claims->items[i], &grants[i], payload == NULL ? &none : payload, id, &at);
    }
    return claims;
}

/* Gives back what was claimed but cannot be handed out. With `lock` held. */
static void give_back(struct embedded *store, const qk__grant *grants, size_t count,
                      const char *worker)
{
    for (size_t i = 0; i < count; i++) {
        qk_outcome back = { .lease = { grants[i].id, grants[i].attempt, worker },
                            .verdict = QK_VERDICT_NACK };
        uint64_t gate;
        (void)qk__engine_complete(store->engine, embedded_now(store), &back, &gate);
    }
    announce(store);
}

/* Reads payloads that are not in memory. Releases `lock` meanwhile. */
static qk_status fetch_payloads(struct embedded *store, qk__grant *grants, size_t count,
                                qk__row_set *out, qk_error *err)
{
    qk_id *ids = malloc((count + 1) * sizeof *ids);
    size_t missing = 0;
    for (size_t i = 0; ids != NULL && i < count; i++) {
        if (grants[i].payload == NULL) {
            ids[missing++] = grants[i].id;
        }
    }
    qk_status rc = ids == NULL ? no_memory(err) : QK_OK;
    if (missing > 0) {
        pthread_mutex_unlock(&store->lock);
        rc = borrow_database(store, err);
        if (rc == QK_OK) {
            rc = qk__reader_payloads(store->reader, out, ids, missing, err);
            return_database(store);
        }
        pthread_mutex_lock(&store->lock);
    }
    free(ids);
    return rc;
}

/*
 * Grants borrow from the engine, which other threads move on as soon as `lock` is released. So the
 * claims are packed first, when every payload is resident; a second look is needed otherwise.
 */
static qk_status deliver(struct embedded *store, qk__grant *grants, size_t count,
                         const char *worker, qk_claims **out, qk_error *err)
{
    qk__row_set fetched = { NULL, 0, NULL };
    qk_claims *claims = NULL;
    uint64_t gate = 0;
    bool resident = true;
    for (size_t i = 0; i < count; i++) {
        gate = grants[i].gate > gate ? grants[i].gate : gate;
        resident = resident && grants[i].payload != NULL;
    }
    qk_status rc = QK_OK;
    if (!resident) {
        rc = fetch_payloads(store, grants, count, &fetched, err);
        for (size_t i = 0; rc == QK_OK && i < count; i++) {
            rc = qk__engine_regrant(store->engine, &grants[i]) ? QK_OK : QK_EMPTY;
        }
    }
    if (rc == QK_OK && (claims = pack(grants, count, worker, &fetched)) == NULL) {
        rc = no_memory(err);
    }
    if (rc == QK_OK && gate > 0) {
        rc = wait_durable(store, gate, err);
    }
    if (rc != QK_OK) {
        give_back(store, grants, count, worker);
        free(claims);
        claims = NULL;
    }
    qk__row_set_dispose(&fetched);
    *out = claims;
    return rc;
}

/* Claims; a job whose condition is false is skipped, and others are looked for. */
static size_t claim_true(struct embedded *store, const qk__claim_request *request,
                         qk__grant *grants, qk_status *rc, qk_error *err)
{
    for (;;) {
        size_t count = qk__engine_claim(store->engine, embedded_now(store), request, grants);
        size_t kept = count;
        *rc = count == 0 ? QK_OK : conditions_apply(store, grants, &kept, err);
        if (*rc != QK_OK) {
            give_back(store, grants, kept, request->worker_id);
            return 0;
        }
        if (kept > 0 || count == 0) {
            return kept;
        }
    }
}

static bool wait_for_work(struct embedded *store, const qk__claim_request *request, int64_t end_us)
{
    int64_t left = INT64_MAX;
    if (store->stopping || is_interrupted(store, request->worker_id)) {
        return false;
    }
    if (end_us != INT64_MAX) {
        left = end_us - embedded_now(store).mono_us;
        if (left <= 0) {
            return false;
        }
    }
    wait_some(store, &store->ready, left);
    return true;
}

static int64_t end_of_wait(const struct embedded *store, int64_t wait_us)
{
    int64_t now = embedded_now(store).mono_us;
    return wait_us > INT64_MAX - now ? INT64_MAX : now + wait_us;
}

qk_status embedded_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                         qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk__grant on_stack[GRANTS_ON_STACK];
    qk__grant *grants = on_stack;
    *out = NULL;
    if (request->max > GRANTS_ON_STACK) {
        grants = malloc(request->max * sizeof *grants);
        if (grants == NULL) {
            return no_memory(err);
        }
    }
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        int64_t end_us = end_of_wait(store, request->wait_us);
        size_t count = 0;
        while (!store->suspended && !store->broken && rc == QK_OK &&
               (count = claim_true(store, request, grants, &rc, err)) == 0 &&
               wait_for_work(store, request, end_us)) {
        }
        announce(store);
        rc = rc != QK_OK  ? rc
             : count == 0 ? QK_EMPTY
                          : deliver(store, grants, count, request->worker_id, out, err);
        if (store->stopping && rc == QK_EMPTY) {
            rc = qk__error(err, QK_ECLOSED, "the store is being closed");
        }
        leave(store);
    }
    if (grants != on_stack) {
        free(grants);
    }
    return rc;
}

qk_status embedded_release(qk_store *base, uint64_t peer, qk_error *err)
{
    struct embedded *store = embedded_of(base);
    qk_status rc = enter_to_write(store, err);
    if (rc == QK_OK) {
        rc = qk__engine_give_back(store->engine, embedded_now(store), peer);
        rc = rc == QK_OK ? rc : no_memory(err);
        announce(store);
        leave(store);
    }
    return rc;
}
