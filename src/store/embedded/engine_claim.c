/*
 * Claims and what becomes of them: ack, fail, nack, heartbeats, lost leases, time.
 *
 * long file: a claim's life, from being taken to its end; claims of one tree of runs among them.
 */
#include "store/embedded/engine_internal.h"

#include "util/histogram.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_LEASE_US 300000000

static void fill_grant(const qk__engine *engine, const struct job *job, bool strict,
                       qk__grant *grant)
{
    const struct policy *policy = policy_of(engine, job);
    grant->id = job->id;
    grant->attempt = job->attempt;
    grant->attempts = job->attempts;
    grant->max_attempts = policy->max_attempts;
    grant->kind = engine->symbols.text[policy->kind];
    grant->queue = engine->symbols.text[engine->queues.items[policy->queue]->name];
    grant->name = job->extra->name;
    grant->node = job->extra->node;
    grant->when = job->extra->when;
    grant->depth = job->run == NIL ? 0 : run_of(engine, job)->depth;
    static const qk_id none;
    grant->run = job->run == NIL ? none : run_of(engine, job)->id;
    grant->payload = job->payload;
    grant->payload_length = job->payload_length;
    grant->timeout_us = policy->timeout_us;
    grant->claimed_us = job->extra->claimed_us;
    grant->strict =
        strict || (job->flags & (JF_STRICT | JF_RECOVERED)) != 0 || policy->max_attempts == 1;
    grant->gate = 0;
    if (grant->strict) {
        grant->gate = engine->batch;
    } else if ((job->flags & JF_NEW) != 0) {
        grant->gate = engine->batch - (uint32_t)((uint32_t)engine->batch - job->born);
    }
}

static int64_t lease_length(const struct policy *policy, int64_t asked_us)
{
    if (asked_us > 0) {
        return asked_us;
    }
    return policy->timeout_us == INT64_MAX ? DEFAULT_LEASE_US : policy->timeout_us;
}

static int64_t deadline(qk__now now, int64_t lease_us)
{
    return lease_us > INT64_MAX - now.mono_us ? INT64_MAX : now.mono_us + lease_us;
}

static bool claim_one(qk__engine *engine, qk__now now, uint32_t index, uint32_t worker,
                      const qk__claim_request *request)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job_extra(engine, job);
    if (extra == NULL || !lease_reserve(engine)) {
        return false;
    }
    lane_remove(engine, index);
    job->attempt++;
    job->attempts++;
    extra->worker = worker;
    extra->claimed_us = now.wall_us;
    extra->begun_us = now.mono_us;
    extra->lease_us = extra->first_lease_us =
        lease_length(policy_of(engine, job), request->lease_us);
    extra->holder = request->holder;
    extra->deadline_us = deadline(now, extra->lease_us);
    extra->progress = -1;
    set_status(engine, index, QK_JOB_CLAIMED);
    lease_push(engine, index);
    engine->counters.claimed++;
    if (job->attempt == 1) {
        int64_t since =
            extra->execute_after_us > job->created_us ? extra->execute_after_us : job->created_us;
        qk__histogram_add(&engine->waiting_us, now.wall_us - since);
    }
    return true;
}

#define KINDS_ON_STACK 64

/* The kinds of a request that are known here, however many. */
struct kinds {
    uint32_t few[KINDS_ON_STACK];
    uint32_t *items; /* `few`, or malloc'd */
    size_t count;
};

static void kinds_dispose(struct kinds *kinds)
{
    if (kinds->items != kinds->few) {
        free(kinds->items);
    }
}

/* False: out of memory. */
static bool find_kinds(const qk__engine *engine, const qk__claim_request *request,
                       struct kinds *kinds)
{
    kinds->count = 0;
    kinds->items = kinds->few;
    if (request->kinds == NULL) {
        return true;
    }
    if (request->kind_count > KINDS_ON_STACK) {
        kinds->items = malloc(request->kind_count * sizeof *kinds->items);
    }
    for (size_t i = 0; kinds->items != NULL && i < request->kind_count; i++) {
        uint32_t symbol = symbol_find(engine, request->kinds[i], strlen(request->kinds[i]));
        if (symbol != NIL) {
            kinds->items[kinds->count++] = symbol;
        }
    }
    return kinds->items != NULL;
}

/* Claim admission: whatever keeps a queue's ready jobs from being handed out is decided here. */
static bool admits(const struct queue *queue)
{
    return !queue->paused &&
           (queue->concurrency == 0 || queue->counts[QK_JOB_CLAIMED] < queue->concurrency);
}

static bool may_claim(const qk__engine *engine, const struct job *job,
                      const qk__claim_request *request, const struct kinds *kinds)
{
    uint32_t route = policy_of(engine, job)->route;
    bool wanted = request->kinds == NULL;
    for (size_t i = 0; i < kinds->count && !wanted; i++) {
        wanted = kinds->items[i] == route;
    }
    return wanted && (job->flags & JF_IN_LANE) != 0 && admits(queue_of(engine, job));
}

struct candidate {
    uint64_t rank; /* lower is earlier */
    uint32_t index;
};

static int by_rank(const void *a, const void *b)
{
    const struct candidate *left = a;
    const struct candidate *right = b;
    return left->rank < right->rank ? -1 : left->rank > right->rank;
}

/* Ready jobs of one run's nodes that are in memory, appended; false: out of memory. */
static bool add_candidates(const qk__engine *engine, const struct run *run,
                           const qk__claim_request *request, const struct kinds *kinds,
                           struct candidate **items, size_t *count, size_t *capacity)
{
    if (run->held ||
        !vec_reserve((void **)items, capacity, *count + run->node_count, sizeof **items)) {
        return run->held;
    }
    for (size_t i = 0; i < run->node_count; i++) {
        const struct job *job = job_at(engine, run->nodes[i]);
        if (job->used && job->run == run->index && may_claim(engine, job, request, kinds)) {
            uint64_t rank = (uint64_t)(QK_PRIORITY_MAX - job->priority) << 56 | job->seq;
            (*items)[(*count)++] = (struct candidate){ rank, run->nodes[i] };
        }
    }
    return true;
}

/* Claims of one tree of runs look at its nodes in memory: rare beside claims of queues. */
static size_t claim_in_tree(qk__engine *engine, qk__now now, const qk__claim_request *request,
                            const struct kinds *kinds, uint32_t worker, qk__grant *grants)
{
    struct candidate *items = NULL;
    size_t found = 0;
    size_t capacity = 0;
    size_t count = 0;
    bool good = true;
    for (size_t i = 0; good && i < engine->runs.count; i++) {
        const struct run *run = engine->runs.items[i];
        if (run != NULL && memcmp(run->root.bytes, request->root_run.bytes, 16) == 0) {
            good = add_candidates(engine, run, request, kinds, &items, &found, &capacity);
        }
    }
    if (found > 1) {
        qsort(items, found, sizeof *items, by_rank);
    }
    for (size_t i = 0; i < found && count < request->max; i++) {
        const struct job *job = job_at(engine, items[i].index);
        bool twice = (job->flags & JF_IN_LANE) == 0;
        if (!twice && admits(queue_of(engine, job)) &&
            claim_one(engine, now, items[i].index, worker, request)) {
            fill_grant(engine, job_at(engine, items[i].index),
                       engine->config.strict || request->strict, &grants[count++]);
        }
    }
    free(items);
    return count;
}

/* What an earlier call with this token claimed and still holds. */
static size_t claimed_before(qk__engine *engine, const qk__claim_request *request,
                             qk__grant *grants)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->leases.count; i++) {
        for (uint32_t index = engine->leases.items[i].head; index != NIL && count < request->max;
             index = job_at(engine, index)->next) {
            const struct extra *extra = job_at(engine, index)->extra;
            bool waits = (job_at(engine, index)->flags & JF_WAITING) != 0;
            if (!waits && extra->holder.peer == request->holder.peer &&
                extra->holder.token == request->holder.token) {
                fill_grant(engine, job_at(engine, index), true, &grants[count++]);
            }
        }
    }
    return count;
}

static size_t claim_from_queues(qk__engine *engine, qk__now now, const qk__claim_request *request,
                                const struct kinds *kinds, uint32_t worker, qk__grant *grants)
{
    size_t count = 0;
    for (size_t i = 0; i < request->queue_count; i++) {
        const struct queue *queue = queue_find(engine, request->queues[i]);
        while (queue != NULL && admits(queue) && count < request->max) {
            uint32_t index = lane_best(engine, queue, request->kinds == NULL ? NULL : kinds->items,
                                       kinds->count);
            if (index == NIL || !claim_one(engine, now, index, worker, request)) {
                break;
            }
            fill_grant(engine, job_at(engine, index), engine->config.strict || request->strict,
                       &grants[count++]);
        }
    }
    return count;
}

size_t qk__engine_claim(qk__engine *engine, qk__now now, const qk__claim_request *request,
                        qk__grant *grants)
{
    struct kinds kinds;
    size_t count = 0;
    qk__engine_tick(engine, now);
    if (request->again && request->holder.peer != 0 &&
        (count = claimed_before(engine, request, grants)) > 0) {
        return count;
    }
    uint32_t worker = symbol_make(engine, request->worker_id, strlen(request->worker_id));
    if (worker == NIL || !find_kinds(engine, request, &kinds)) {
        return 0;
    }
    count = qk_id_is_none(request->root_run)
                ? claim_from_queues(engine, now, request, &kinds, worker, grants)
                : claim_in_tree(engine, now, request, &kinds, worker, grants);
    kinds_dispose(&kinds);
    settle_dependents(engine, now); /* runs whose first job started */
    return count;
}

bool qk__engine_regrant(const qk__engine *engine, qk__grant *grant)
{
    uint32_t index = job_find(engine, grant->id);
    if (index == NIL || job_at(engine, index)->status != QK_JOB_CLAIMED ||
        job_at(engine, index)->attempt != grant->attempt) {
        return false;
    }
    uint64_t gate = grant->gate;
    fill_grant(engine, job_at(engine, index), grant->strict, grant);
    grant->gate = gate;
    return true;
}

bool holds(const qk__engine *engine, const struct job *job, const qk_lease *lease)
{
    return job->status == QK_JOB_CLAIMED && (job->flags & JF_WAITING) == 0 &&
           job->attempt == lease->attempt && job->extra->worker != NIL &&
           strcmp(engine->symbols.text[job->extra->worker], lease->worker_id) == 0;
}

/* The same report again gets the first answer. */
static bool is_repeat(const qk__engine *engine, const struct job *job, const qk_outcome *outcome)
{
    const struct extra *extra = job->extra;
    return extra != NULL && extra->closed_worker != NIL &&
           extra->closed_attempt == outcome->lease.attempt &&
           extra->closed_verdict == outcome->verdict &&
           strcmp(engine->symbols.text[extra->closed_worker], outcome->lease.worker_id) == 0;
}

/* Copies what the report says; the old text may still be in flight, so it is retired. */
static bool take_report(qk__engine *engine, struct extra *extra, const qk_outcome *outcome)
{
    char *result = copy_text(outcome->result);
    char *error = copy_text(outcome->error);
    char *log = copy_text(outcome->log_tail);
    if ((result == NULL) != (outcome->result == NULL) ||
        (error == NULL) != (outcome->error == NULL) ||
        (log == NULL) != (outcome->log_tail == NULL) || !retire_reserve(engine, 3)) {
        free(result);
        free(error);
        free(log);
        return false;
    }
    retire(engine, extra->result);
    retire(engine, extra->error);
    retire(engine, extra->log_tail);
    extra->result = result;
    extra->error = error;
    extra->log_tail = log;
    extra->has_exit_code = outcome->has_exit_code;
    extra->exit_code = outcome->has_exit_code ? outcome->exit_code : 0;
    return true;
}

static void give_back(qk__engine *engine, uint32_t index, qk__now now, int64_t delay_us)
{
    struct job *job = job_at(engine, index);
    struct extra *extra = job->extra;
    extra->claimed_us = 0;
    extra->worker = NIL;
    if (delay_us > 0) {
        extra->execute_after_us =
            delay_us > INT64_MAX - now.wall_us ? INT64_MAX : now.wall_us + delay_us;
        set_status(engine, index, QK_JOB_DELAYED);
    } else {
        set_status(engine, index, QK_JOB_PENDING);
    }
    place(engine, index);
}

static qk_status report_failure(qk__engine *engine, uint32_t index, qk__now now,
                                const qk_outcome *outcome)
{
    struct job *job = job_at(engine, index);
    const struct policy *policy = policy_of(engine, job);
    bool last = outcome->permanent || job->attempts >= policy->max_attempts;
    if (!last && !attempt_row(engine, index, QK__ATTEMPT_FAILED, now, outcome)) {
        return QK_ENOMEM;
    }
    if (!take_report(engine, job->extra, outcome)) {
        if (!last) {
            free(engine->loose.items[--engine->loose.count].memory);
        }
        return QK_ENOMEM;
    }
    lease_remove(engine, index);
    if (last) {
        end_job(engine, index, QK_JOB_FAILED, now);
        return QK_OK;
    }
    engine->counters.retried++;
    give_back(engine, index, now,
              qk__rule_backoff_us(policy->backoff_base_us, policy->backoff_factor,
                                  policy->backoff_cap_us, job->attempts, next_random(engine)));
    return QK_OK;
}

static qk_status report_nack(qk__engine *engine, uint32_t index, qk__now now,
                             const qk_outcome *outcome)
{
    struct job *job = job_at(engine, index);
    if (outcome->no_requeue) {
        qk_outcome refused = *outcome;
        if (refused.error == NULL) {
            refused.error = "given back and not to be run again";
        }
        if (!take_report(engine, job->extra, &refused)) {
            return QK_ENOMEM;
        }
        lease_remove(engine, index);
        job->attempts--;
        end_job(engine, index, QK_JOB_FAILED, now);
        return QK_OK;
    }
    if (!attempt_row(engine, index, QK__ATTEMPT_NACKED, now, outcome)) {
        return QK_ENOMEM;
    }
    lease_remove(engine, index);
    job->attempts--;
    give_back(engine, index, now, outcome->delay.us);
    return QK_OK;
}

static qk_status report(qk__engine *engine, uint32_t index, qk__now now, const qk_outcome *outcome)
{
    struct extra *extra = job_at(engine, index)->extra;
    uint32_t worker = extra->worker;
    int64_t claimed_us = extra->claimed_us;
    qk_status rc = QK_OK;
    if (outcome->verdict == QK_VERDICT_FAIL) {
        rc = report_failure(engine, index, now, outcome);
    } else if (outcome->verdict == QK_VERDICT_NACK) {
        rc = report_nack(engine, index, now, outcome);
    } else if (take_report(engine, extra, outcome)) {
        lease_remove(engine, index);
        end_job(engine, index, QK_JOB_DONE, now);
    } else {
        rc = QK_ENOMEM;
    }
    if (rc == QK_OK) {
        if (outcome->verdict != QK_VERDICT_NACK) {
            qk__histogram_add(&engine->run_us, now.wall_us - claimed_us);
        }
        extra->closed_attempt = outcome->lease.attempt;
        extra->closed_verdict = (uint8_t)outcome->verdict;
        extra->closed_worker = worker;
        settle_dependents(engine, now);
    }
    return rc;
}

qk_status qk__engine_complete(qk__engine *engine, qk__now now, const qk_outcome *outcome,
                              uint64_t *gate)
{
    qk__engine_tick(engine, now);
    uint32_t index = job_find(engine, outcome->lease.job);
    *gate = 0;
    if (index == NIL) {
        return QK_ENOTFOUND;
    }
    struct job *job = job_at(engine, index);
    *gate = (job->flags & JF_DIRTY) != 0 ? engine->batch : engine->batch - 1;
    if (holds(engine, job, &outcome->lease)) {
        qk_status rc = report(engine, index, now, outcome);
        *gate = engine->batch;
        return rc;
    }
    if (is_repeat(engine, job, outcome)) {
        return QK_OK;
    }
    bool held = job->status == QK_JOB_CLAIMED && outcome->lease.attempt == job->attempt;
    bool earlier = outcome->lease.attempt > 0 && outcome->lease.attempt <= job->attempt && !held;
    return earlier ? QK_ENOTFOUND : QK_ELEASE;
}

qk_status qk__engine_extend(qk__engine *engine, qk__now now, const qk_lease *lease,
                            int64_t extend_us)
{
    qk__engine_tick(engine, now);
    uint32_t index = job_find(engine, lease->job);
    if (index == NIL || !holds(engine, job_at(engine, index), lease)) {
        return QK_ELEASE;
    }
    struct extra *extra = job_at(engine, index)->extra;
    if (!lease_reserve(engine)) {
        return QK_ENOMEM;
    }
    lease_remove(engine, index);
    extra->lease_us = extend_us > 0 ? extend_us : extra->first_lease_us;
    extra->deadline_us = deadline(now, extra->lease_us);
    lease_push(engine, index);
    return QK_OK;
}

qk_status qk__engine_progress(qk__engine *engine, const qk_lease *lease, double fraction,
                              const char *message)
{
    uint32_t index = job_find(engine, lease->job);
    if (index == NIL || !holds(engine, job_at(engine, index), lease)) {
        return QK_ELEASE;
    }
    struct extra *extra = job_at(engine, index)->extra;
    char *copy = copy_text(message);
    if ((copy == NULL) != (message == NULL) || !retire_reserve(engine, 1)) {
        free(copy);
        return QK_ENOMEM;
    }
    retire(engine, extra->progress_message);
    extra->progress_message = copy;
    extra->progress = fraction;
    return QK_OK;
}

static void tick_delayed(qk__engine *engine, qk__now now)
{
    while (engine->delayed.count > 0) {
        uint32_t index = engine->delayed.items[0];
        struct job *job = job_at(engine, index);
        if (job->extra->execute_after_us > now.wall_us) {
            return;
        }
        delay_remove(engine, index);
        job->seq = ++engine->seq;
        set_status(engine, index, QK_JOB_PENDING);
        place(engine, index);
    }
}

/* In the order in which they ran out, so that a late tick still tells who failed first. */
static void tick_leases(qk__engine *engine, qk__now now)
{
    for (uint32_t index; (index = lease_first(engine)) != NIL;) {
        bool waits = (job_at(engine, index)->flags & JF_WAITING) != 0;
        if (job_at(engine, index)->extra->deadline_us > now.mono_us ||
            !(waits ? retire_reserve(engine, 2) : attempt_due_row(engine, index, now))) {
            return;
        }
        if (waits) {
            node_timeout(engine, index, now);
            continue;
        }
        lose_claim(engine, index, now);
    }
}

void qk__engine_tick(qk__engine *engine, qk__now now)
{
    tick_leases(engine, now);
    workers_tick(engine, now);
    if (engine->delayed.count > 0) {
        tick_delayed(engine, now);
        settle_dependents(engine, now);
    }
}

int64_t qk__engine_next_tick(const qk__engine *engine, qk__now now)
{
    int64_t wait = INT64_MAX;
    if (engine->delayed.count > 0) {
        wait = job_at(engine, engine->delayed.items[0])->extra->execute_after_us - now.wall_us;
    }
    uint32_t first = lease_first(engine);
    if (first != NIL && job_at(engine, first)->extra->deadline_us != INT64_MAX) {
        int64_t left = job_at(engine, first)->extra->deadline_us - now.mono_us;
        wait = left < wait ? left : wait;
    }
    return wait < 0 ? 0 : wait;
}
