/*
 * Calls through whatever store is there, repeated when the owner ends underneath them.
 */
#include "store/shared/shared_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "store/remote/remote.h"
#include "util/error.h"

#define PAUSE_US 2000
#define PAUSE_MOST_US 50000

static void wait_until(struct shared *s, int64_t until_us)
{
    struct timespec until = { until_us / 1000000, until_us % 1000000 * 1000 };
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

static qk_status nobody(const struct shared *s, qk_error *err)
{
    if (s->trouble.code && s->trouble.code != QK_EBUSY) {
        if (err)
            *err = s->trouble;
        return s->trouble.code;
    }
    return qk__error(err, QK_ESTORE,
                     "the owner of %s ended, and no other took its place within %lld s: try again",
                     s->path, (long long)(s->patience_us / 1000000));
}

qk_status shared_use(struct shared *s, struct inner **out, uint64_t *generation,
                     int64_t deadline_us, qk_error *err)
{
    qk_status rc = QK_OK;
    pthread_mutex_lock(&s->lock);
    while (!s->inner && !rc) {
        if (s->stopping || s->closing)
            rc = qk__error(err, QK_ECLOSED, "the store is being closed");
        else if (shared_now_us() >= deadline_us)
            rc = nobody(s, err);
        else
            wait_until(s, deadline_us);
    }
    *out = s->inner;
    *generation = s->generation;
    if (!rc)
        atomic_fetch_add(&s->inner->references, 1);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void shared_unuse(struct inner *inner)
{
    if (atomic_fetch_sub(&inner->references, 1) > 1)
        return;
    inner->store->ops->close(inner->store);
    if (inner->watch >= 0)
        close(inner->watch);
    free(inner);
}

void shared_retire(struct shared *s, uint64_t generation)
{
    pthread_mutex_lock(&s->lock);
    struct inner *old = s->generation == generation ? s->inner : NULL;
    if (old)
        s->inner = NULL;
    pthread_mutex_unlock(&s->lock);
    if (old) {
        (void)eventfd_write(s->kick, 1);
        shared_unuse(old);
    }
}

bool shared_owns(qk_store *base)
{
    struct shared *s = shared_of(base);
    pthread_mutex_lock(&s->lock);
    bool owns = s->inner && s->inner->owner;
    pthread_mutex_unlock(&s->lock);
    return owns;
}

bool shared_is_interrupted(struct shared *s, const char *worker_id)
{
    bool found = false;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->interrupted_count && !found; i++)
        found = strcmp(s->interrupted[i], worker_id) == 0;
    pthread_mutex_unlock(&s->lock);
    return found;
}

/* After a lost connection: until there is another store, or a little while, since the same owner may
 * still be there. */
static void pause_for(struct shared *s, uint64_t generation, int64_t pause_us)
{
    int64_t until = shared_now_us() + pause_us;
    pthread_mutex_lock(&s->lock);
    while (s->generation == generation && !s->stopping && shared_now_us() < until)
        wait_until(s, until);
    pthread_mutex_unlock(&s->lock);
}

static qk_status uncertain(const struct shared *s, qk_error *err)
{
    return qk__error(err, QK_ESTORE,
                     "the owner of %s ended while it was asked: it may or may not have happened, "
                     "look before you repeat it",
                     s->path);
}

static bool is_stopping(struct shared *s)
{
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return stopping;
}

/* The connection failed. *lost: what was asked may have happened. */
static bool is_gone(const struct inner *inner, qk_status rc, const qk_error *problem, bool *lost)
{
    *lost = problem->system_errno == ECONNRESET && !qk__remote_said_goodbye(inner->watch);
    return !inner->owner && rc == QK_ESTORE &&
           (problem->system_errno == ECONNREFUSED || problem->system_errno == ECONNRESET);
}

qk_status shared_run(struct shared *s, shared_fn fn, void *args, enum repeat repeat, qk_error *err)
{
    int64_t wait = s->patience_us, deadline = 0, pause = PAUSE_US;
    unsigned lost = 0;
    for (;;) {
        qk_error problem = QK_ERROR_INIT;
        struct inner *inner;
        uint64_t generation;
        int64_t now = shared_now_us();
        int64_t until = wait > INT64_MAX - now ? INT64_MAX / 2 : now + wait;
        deadline = deadline ? deadline : until;
        qk_status rc = shared_use(s, &inner, &generation, deadline, err);
        if (rc)
            return rc;
        rc = fn(inner, args, lost, &problem);
        bool unanswered;
        bool gone = is_gone(inner, rc, &problem, &unanswered);
        shared_unuse(inner);
        if (!gone || shared_now_us() >= deadline || is_stopping(s)) {
            if (err && (rc || problem.code)) /* of a batch: why the first was refused */
                *err = problem;
            return rc;
        }
        shared_retire(s, generation);
        lost += unanswered;
        if (lost && repeat == ASK)
            return uncertain(s, err);
        pause_for(s, generation, pause);
        pause = pause * 2 < PAUSE_MOST_US ? pause * 2 : PAUSE_MOST_US;
    }
}

qk_status shared_change(struct shared *s, shared_fn fn, void *args, enum repeat repeat,
                        qk_error *err)
{
    if (atomic_load(&s->moved))
        return qk__error(err, QK_ESTORE,
                         "%s was deleted, renamed or replaced while this process has it open: put "
                         "it back, or end this process",
                         s->path);
    return shared_run(s, fn, args, repeat, err);
}
