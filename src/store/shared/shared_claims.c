/*
 * Enqueues and claims across a takeover: where an answer that got lost takes more than asking again.
 */
#include "store/shared/shared_internal.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

struct enqueue {
    qk_enqueued *out;
    const qk__new_job *jobs;
    size_t count;
};

/* Again: every id may be known now, also those that were just made. Finding one's own is no news. */
static qk_status enqueue_again(qk_store *store, const struct enqueue *call, qk_error *err)
{
    qk__new_job *jobs = malloc(call->count * sizeof(*jobs));
    if (!jobs)
        return qk__error(err, QK_ENOMEM, "out of memory for a batch of %zu jobs", call->count);
    memcpy(jobs, call->jobs, call->count * sizeof(*jobs));
    for (size_t i = 0; i < call->count; i++)
        jobs[i].id_given = true;
    qk_status rc = store->ops->enqueue(store, call->out, jobs, call->count, err);
    for (size_t i = 0; !rc && i < call->count; i++) {
        if (!call->jobs[i].id_given && qk_id_compare(call->out[i].id, call->jobs[i].id) == 0)
            call->out[i].duplicate = false;
    }
    free(jobs);
    return rc;
}

static qk_status enqueue(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct enqueue *call = args;
    qk_store *store = inner->store;
    return lost ? enqueue_again(store, call, err)
                : store->ops->enqueue(store, call->out, call->jobs, call->count, err);
}

qk_status shared_enqueue(qk_store *base, qk_enqueued *out, const qk__new_job *jobs, size_t count,
                         qk_error *err)
{
    struct enqueue call = { out, jobs, count };
    return shared_change(shared_of(base), enqueue, &call, REPEAT, err);
}

struct claim {
    struct shared *s;
    qk_claims **out;
    const qk__claim_request *request;
    uint64_t token;
    int64_t end_us; /* INT64_MAX: none */
};

static int64_t clock_us(const struct shared *s)
{
    return s->config.clock.monotonic_us(s->config.clock.user);
}

static qk_status claim(struct inner *inner, void *args, unsigned lost, qk_error *err)
{
    const struct claim *call = args;
    qk_store *store = inner->store;
    qk__claim_request request = *call->request;
    if (inner->owner && !lost)
        return store->ops->claim(store, call->out, &request, err);
    if (shared_is_interrupted(call->s, request.worker_id))
        request.wait_us = 0;
    else if (call->end_us != INT64_MAX) {
        int64_t left = call->end_us - clock_us(call->s);
        request.wait_us = left > 0 ? left : 0;
    }
    request.again = request.again || lost > 0;
    if (request.holder.peer == 0)
        request.holder = (qk__holder){ call->s->peer, call->token };
    return store->ops->claim(store, call->out, &request, err);
}

qk_status shared_claim(qk_store *base, qk_claims **out, const qk__claim_request *request,
                       qk_error *err)
{
    struct shared *s = shared_of(base);
    int64_t now = clock_us(s);
    struct claim call = {
        .s = s,
        .out = out,
        .request = request,
        .token = atomic_fetch_add(&s->tokens, 1) + 1,
        .end_us = request->wait_us > INT64_MAX - now ? INT64_MAX : now + request->wait_us,
    };
    *out = NULL;
    return shared_change(s, claim, &call, REPEAT, err);
}

/* Kept here as well, for the owner that comes next. */
static void remember(struct shared *s, const char *worker_id, bool on)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->interrupted_count; i++) {
        if (strcmp(s->interrupted[i], worker_id) == 0) {
            free(s->interrupted[i]);
            s->interrupted[i] = s->interrupted[--s->interrupted_count];
            break;
        }
    }
    char *copy = on ? strdup(worker_id) : NULL;
    char **grown =
        copy ? realloc(s->interrupted, (s->interrupted_count + 1) * sizeof(*grown)) : NULL;
    if (grown) {
        s->interrupted = grown;
        s->interrupted[s->interrupted_count++] = copy;
    } else {
        free(copy); /* its waits end by themselves */
    }
    pthread_mutex_unlock(&s->lock);
}

void shared_interrupt(qk_store *base, const char *worker_id, bool on)
{
    struct shared *s = shared_of(base);
    struct inner *inner;
    uint64_t generation;
    remember(s, worker_id, on);
    if (shared_use(s, &inner, &generation, 0, NULL) == QK_OK) {
        inner->store->ops->interrupt(inner->store, worker_id, on);
        shared_unuse(inner);
    }
}
