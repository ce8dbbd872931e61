/*
 * The invariants of engine.h, as code. For tests: reads everything, changes nothing, allocates
 * nothing. The caller's lock, as for every other call.
 *
 * One pass over the jobs checks each by itself and counts them; then the places (lanes, delay heap,
 * lease lists, dirty list) are walked and must hold exactly as many. Invariant 7, the life of text,
 * cannot be seen from here: the simulation checks it by reading a cut's rows again before it ends.
 */
#include "store/embedded/engine_internal.h"

#include <string.h>

struct tally {
    size_t used, in_lane, delayed, claimed, dirty, dirty_ended, linked, edges, keys;
    size_t payload_bytes;
};

static bool is_held(const qk__engine *engine, const struct job *job)
{
    const struct run *run = run_of(engine, job);
    return run != NULL && run->held;
}

static const char *check_place(const qk__engine *engine, const struct job *job)
{
    bool in_lane = (job->flags & JF_IN_LANE) != 0;
    bool in_heap = (job->flags & JF_IN_HEAP) != 0;
    qk__readiness ready = links_readiness(engine, job);
    switch (job->status) {
    case QK_JOB_PENDING:
        if (ready == QK__READY_NEVER) {
            return "1: a pending job can never start and was not skipped";
        }
        if (in_lane != (ready == QK__READY_START && !is_held(engine, job))) {
            return in_lane ? "1: a job that waits for parents is in a lane"
                           : "1: a job that may start is in no lane";
        }
        return NULL;
    case QK_JOB_DELAYED:
        if (ready == QK__READY_NEVER) {
            return "1: a delayed job can never start and was not skipped";
        }
        return in_lane || !in_heap ? "1: a delayed job is not in the delay heap" : NULL;
    case QK_JOB_CLAIMED:
        return in_lane || in_heap ? "1: a claimed job waits in a lane or heap" : NULL;
    default:
        return in_lane || in_heap ? "1: an ended job waits in a lane or heap" : NULL;
    }
}

static const char *check_claim(const qk__engine *engine, const struct job *job)
{
    const struct policy *policy = policy_of(engine, job);
    if (job->attempts < 0 || job->attempts > policy->max_attempts) {
        return "4: attempts are not within the budget";
    }
    if (job->attempt < job->attempts) {
        return "4: more attempts are charged than were made";
    }
    if (!qk_job_status_is_terminal(job->status) && job->lost >= policy->max_lost) {
        return "4: a live job has lost too many leases";
    }
    if (job->status != QK_JOB_CLAIMED) {
        return NULL;
    }
    if (job->extra == NULL || job->extra->worker == NIL || job->attempt == 0) {
        return "1: a claimed job has no worker";
    }
    return NULL;
}

static const char *check_key(const qk__engine *engine, uint32_t index, struct tally *tally)
{
    const struct job *job = job_at(engine, index);
    if (job->extra == NULL || job->extra->unique_key == NULL ||
        qk_job_status_is_terminal(job->status)) {
        return NULL;
    }
    tally->keys++;
    return unique_find(engine, job->extra->unique_key) == index
               ? NULL
               : "5: a unique key does not lead to its holder";
}

static bool has_child(const struct links *links, qk_id child)
{
    for (uint32_t i = 0; links != NULL && i < links->child_count; i++) {
        if (memcmp(links->children[i].bytes, child.bytes, sizeof child.bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* A link says what its parent is now, if the parent is in memory. */
static const char *check_link(const qk__engine *engine, const struct job *child,
                              const struct link *link)
{
    uint32_t index = job_find(engine, link->parent);
    struct link news;
    if (index == NIL) {
        return NULL;
    }
    const struct job *parent = job_at(engine, index);
    if (!qk_job_status_is_terminal(parent->status)) {
        if (link->state != LINK_WAITING) {
            return "8: a parent that has not ended counts as ended";
        }
        if (links_depth(parent) >= links_depth(child)) {
            return "9: a job does not lie below its parent";
        }
        return has_child(parent->extra == NULL ? NULL : parent->extra->links, child->id)
                   ? NULL
                   : "8: a parent does not know its child";
    }
    link_news(engine, parent, child, &news);
    return link->state == news.state ? NULL : "8: a parent's end is not known to its child";
}

static const char *check_links(const qk__engine *engine, const struct job *job, struct tally *tally)
{
    qk__parents seen = { 0 };
    if (!has_parents(job) || qk_job_status_is_terminal(job->status)) {
        return NULL;
    }
    const struct links *links = job->extra->links;
    tally->linked++;
    for (uint32_t i = 0; i < links->parent_count; i++) {
        const struct link *link = &links->parents[i];
        const char *broken = check_link(engine, job, link);
        if (broken != NULL) {
            return broken;
        }
        seen.done += link->state == LINK_DONE;
        seen.conditional += link->state == LINK_CONDITIONAL;
        seen.failed += link->state == LINK_FAILED;
    }
    if (seen.done != links->counts.done || seen.failed != links->counts.failed ||
        seen.conditional != links->counts.conditional ||
        links->counts.total != links->parent_count) {
        return "8: counts of parents differ from a recount";
    }
    return NULL;
}

static const char *check_job(const qk__engine *engine, uint32_t index, struct tally *tally)
{
    const struct job *job = job_at(engine, index);
    bool dirty = (job->flags & JF_DIRTY) != 0;
    const char *broken = NULL;
    tally->used++;
    tally->in_lane += (job->flags & JF_IN_LANE) != 0;
    tally->delayed += job->status == QK_JOB_DELAYED;
    tally->claimed += job->status == QK_JOB_CLAIMED &&
                      ((job->flags & JF_WAITING) == 0 || job->extra->lease_us != INT64_MAX);
    tally->edges += has_parents(job) && !qk_job_status_is_terminal(job->status)
                        ? job->extra->links->parent_count
                        : 0;
    tally->dirty += dirty;
    tally->dirty_ended += dirty && qk_job_status_is_terminal(job->status);
    if (job->payload != NULL && (job->flags & JF_LARGE) != 0) {
        tally->payload_bytes += job->payload_length;
    }
    if ((job->flags & JF_DOOMED) != 0) {
        return "9: a job that can no longer start was not skipped";
    }
    if (job_find(engine, job->id) != index) {
        return "2: a job is not found by its id";
    }
    if ((broken = check_place(engine, job)) != NULL ||
        (broken = check_claim(engine, job)) != NULL ||
        (broken = check_key(engine, index, tally)) != NULL ||
        (broken = check_links(engine, job, tally)) != NULL) {
        return broken;
    }
    return NULL;
}

static const char *check_jobs(const qk__engine *engine, struct tally *tally)
{
    const char *broken = NULL;
    for (uint32_t i = 0; broken == NULL && i < engine->chunk_count * CHUNK_JOBS; i++) {
        if (tally->used == engine->used) {
            break; /* the rest of the slab is free, or the count is checked to be wrong below */
        }
        broken = job_at(engine, i)->used ? check_job(engine, i, tally) : NULL;
    }
    return broken != NULL || tally->used == engine->used ? broken
                                                         : "2: fewer jobs than are counted";
}

static bool served_first(const struct job *a, const struct job *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->seq < b->seq;
}

static const char *check_list(const qk__engine *engine, const struct lane *lane, int priority,
                              size_t *count)
{
    uint32_t left = NIL;
    bool marked = (lane->bitmap[priority / 64] >> (priority % 64) & 1) != 0;
    if (marked != (lane->head[priority] != NIL)) {
        return "1: a lane's bitmap differs from its lists";
    }
    for (uint32_t i = lane->head[priority]; i != NIL; i = job_at(engine, i)->next) {
        const struct job *job = job_at(engine, i);
        if (!job->used || job->status != QK_JOB_PENDING || job->priority != priority ||
            job->prev != left || (job->flags & (JF_IN_LANE | JF_IN_HEAP)) != JF_IN_LANE ||
            policy_of(engine, job)->route != lane->kind) {
            return "1: a lane's list holds what does not belong there";
        }
        if (left != NIL && job_at(engine, left)->seq >= job->seq) {
            return "1: a lane's list is out of order";
        }
        left = i;
        (*count)++;
    }
    return lane->tail[priority] == left ? NULL : "1: a lane's tail is not its last";
}

static const char *check_lane(const qk__engine *engine, const struct lane *lane, size_t *count)
{
    const char *broken = NULL;
    for (int priority = 0; broken == NULL && priority < PRIORITIES; priority++) {
        broken = check_list(engine, lane, priority, count);
    }
    for (uint32_t i = 0; broken == NULL && i < lane->returned_count; i++) {
        const struct job *job = job_at(engine, lane->returned[i]);
        if (!job->used || job->prev != i || job->status != QK_JOB_PENDING ||
            (job->flags & JF_IN_LANE) == 0 || (job->flags & JF_IN_HEAP) == 0) {
            broken = "1: a lane's heap holds what does not belong there";
        } else if (i > 0 && served_first(job, job_at(engine, lane->returned[(i - 1) / 2]))) {
            broken = "1: a lane's heap is out of order";
        }
        (*count)++;
    }
    return broken;
}

static const char *check_delays(const qk__engine *engine)
{
    for (size_t i = 0; i < engine->delayed.count; i++) {
        const struct job *job = job_at(engine, engine->delayed.items[i]);
        if (!job->used || job->status != QK_JOB_DELAYED || job->prev != i) {
            return "1: the delay heap holds what does not belong there";
        }
        const struct job *above = job_at(engine, engine->delayed.items[i == 0 ? 0 : (i - 1) / 2]);
        if (job->extra->execute_after_us < above->extra->execute_after_us) {
            return "1: the delay heap is out of order";
        }
    }
    return NULL;
}

static const char *check_leases(const qk__engine *engine, size_t *count)
{
    for (size_t i = 0; i < engine->leases.count; i++) {
        const struct lease_list *list = &engine->leases.items[i];
        uint32_t left = NIL;
        for (uint32_t at = list->head; at != NIL; at = job_at(engine, at)->next) {
            const struct job *job = job_at(engine, at);
            if (!job->used || job->status != QK_JOB_CLAIMED || job->prev != left ||
                job->extra->lease_us != list->lease_us) {
                return "1: a lease list holds what does not belong there";
            }
            const struct extra *before = left == NIL ? NULL : job_at(engine, left)->extra;
            if (before != NULL && (before->deadline_us > job->extra->deadline_us ||
                                   (before->deadline_us == job->extra->deadline_us &&
                                    before->leased >= job->extra->leased))) {
                return "1: a lease list is not in order of deadlines";
            }
            left = at;
            (*count)++;
        }
        if (list->tail != left && list->head != NIL) {
            return "1: a lease list's tail is not its last";
        }
    }
    return NULL;
}

static const char *check_dirty(const qk__engine *engine, const struct tally *tally)
{
    for (size_t i = 0; i < engine->dirty.count; i++) {
        const struct job *job = job_at(engine, engine->dirty.items[i]);
        if (!job->used || (job->flags & JF_DIRTY) == 0) {
            return "3: the dirty list holds a job that is clean or gone";
        }
    }
    for (size_t i = 0; i < engine->ended.count; i++) {
        const struct job *job = job_at(engine, engine->ended.items[i]);
        if (!job->used || !qk_job_status_is_terminal(job->status)) {
            return "2: the list of ended jobs holds one that lives";
        }
    }
    if (engine->dirty.count != tally->dirty) {
        return "3: the dirty list misses a job or has one twice";
    }
    return engine->ended.count == tally->dirty_ended ? NULL
                                                     : "2: ended jobs are missed or listed twice";
}

static const char *check_counts(const qk__engine *engine)
{
    for (size_t q = 0; q < engine->queues.count; q++) {
        const struct queue *queue = engine->queues.items[q];
        uint64_t counts[QK_JOB_STATUS_COUNT] = { 0 };
        uint32_t seen = 0;
        for (uint32_t i = 0; seen < engine->used && i < engine->chunk_count * CHUNK_JOBS; i++) {
            const struct job *job = job_at(engine, i);
            seen += job->used;
            counts[job->status] += job->used && queue_of(engine, job) == queue;
        }
        for (int status = 0; status < QK_JOB_STATUS_COUNT; status++) {
            bool ended = qk_job_status_is_terminal((qk_job_status)status);
            if (ended ? queue->counts[status] < counts[status]
                      : queue->counts[status] != counts[status]) {
                return "6: a queue's counts differ from a recount";
            }
        }
        if (queue->adding != 0) {
            return "6: a queue still counts jobs of an enqueue that is over";
        }
    }
    return NULL;
}

static const char *check_totals(const qk__engine *engine, const struct tally *tally)
{
    if (engine->linked != tally->linked || engine->edges != tally->edges) {
        return "8: the count of jobs with parents differs from a recount";
    }
    if (engine->unique_count != tally->keys) {
        return "5: a unique key is held by nobody, or lost";
    }
    if (engine->payload_resident != tally->payload_bytes) {
        return "9: bytes of large payloads differ from a recount";
    }
    return engine->notified == engine->ended.count ? NULL
                                                   : "8: dependents of an ended job were not told";
}

const char *qk__engine_check(const qk__engine *engine)
{
    struct tally tally = { 0 };
    size_t in_lanes = 0;
    size_t leased = 0;
    const char *broken = check_jobs(engine, &tally);
    for (size_t q = 0; broken == NULL && q < engine->queues.count; q++) {
        const struct queue *queue = engine->queues.items[q];
        for (uint32_t i = 0; broken == NULL && i < queue->lane_count; i++) {
            broken = check_lane(engine, queue->lanes[i], &in_lanes);
        }
    }
    if (broken != NULL || (broken = check_delays(engine)) != NULL ||
        (broken = check_leases(engine, &leased)) != NULL ||
        (broken = check_dirty(engine, &tally)) != NULL || (broken = check_counts(engine)) != NULL) {
        return broken;
    }
    if (in_lanes != tally.in_lane || engine->delayed.count != tally.delayed ||
        leased != tally.claimed) {
        return "1: a job is in no place, or in two";
    }
    broken = check_totals(engine, &tally);
    broken = broken != NULL ? broken : check_hearers(engine);
    return broken != NULL ? broken : check_runs(engine);
}
