/*
 * Opening, stopping and closing a shared store.
 */
#include "store/shared/shared_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"
#include "util/id.h"

/* The least: opening may be wished to fail at once, a call under way hardly. */
#define PATIENCE_US INT64_C(10000000)

static void kick(struct shared *s)
{
    (void)eventfd_write(s->kick, 1);
}

/* The waits of this handle's callers, and with an owner those of everybody. */
void shared_stop(qk_store *base)
{
    struct shared *s = shared_of(base);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    struct inner *inner = s->inner;
    qk__http *http = s->http;
    if (inner)
        atomic_fetch_add(&inner->references, 1);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (!inner)
        return;
    if (inner->owner && http) {
        (void)unlink(s->socket); /* whoever comes now is told at once that nobody is there */
        qk__http_refuse(http);
    }
    if (inner->store->ops->stop)
        inner->store->ops->stop(inner->store);
    shared_unuse(inner);
}

static void free_shared(struct shared *s)
{
    qk__wait_pump_dispose(&s->pump);
    if (s->inner)
        shared_unuse(s->inner);
    qk__file_lock_release(&s->stay);
    if (s->kick >= 0)
        close(s->kick);
    for (size_t i = 0; i < s->interrupted_count; i++)
        free(s->interrupted[i]);
    free(s->interrupted);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* A follower leaves its claims to others, as an owner does when it closes. No caller is left, so that
 * this call may be let through once more, and follow a takeover. */
static void say_goodbye(struct shared *s)
{
    if (!s->keeper_runs || atomic_load(&s->tokens) == 0)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = false;
    bool owner = s->inner && s->inner->owner;
    pthread_mutex_unlock(&s->lock);
    if (!owner)
        (void)s->base.ops->release(&s->base, s->peer, NULL);
}

/* Order matters: nobody is served any more, the socket goes while the lock is still ours, and the
 * lock is the last thing that the embedded store lets go of. */
void shared_close(qk_store *base)
{
    struct shared *s = shared_of(base);
    say_goodbye(s);
    shared_stop(base);
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    kick(s);
    if (s->keeper_runs)
        pthread_join(s->keeper, NULL);
    qk__wait_pump_dispose(&s->pump);
    if (s->http) {
        qk__http_stop(s->http);
    }
    free_shared(s);
}

static bool copy(char *out, size_t size, const char *text)
{
    return (size_t)snprintf(out, size, "%s", text ? text : "") < size;
}

/* Strings of the configuration are the caller's; keep copies. */
static qk_status copy_config(struct shared *s, const qk__store_config *config, qk_error *err)
{
    s->config = *config;
    s->config.peer = s->peer;
    s->patience_us = config->owner_wait_us > PATIENCE_US ? config->owner_wait_us : PATIENCE_US;
    if (!copy(s->path, sizeof(s->path) - 16, config->path) ||
        !copy(s->temp_dir, sizeof(s->temp_dir), config->temp_dir) ||
        !copy(s->default_queue, sizeof(s->default_queue), config->default_queue))
        return qk__error(err, QK_EINVAL, "the path is too long: use a shorter one");
    snprintf(s->socket, sizeof(s->socket), "%s.sock", s->path);
    s->config.path = s->path;
    s->config.temp_dir = config->temp_dir ? s->temp_dir : NULL;
    s->config.default_queue = s->default_queue;
    return QK_OK;
}

static struct shared *new_shared(void)
{
    pthread_condattr_t attributes;
    struct shared *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base.ops = &shared_ops;
    s->stay.fd = -1;
    s->peer = (qk__random_u64() >> 1) | 2; /* below 2^63, never 0, nor the 1 of nameless clients */
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    s->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->kick >= 0 && qk__wait_pump_init(&s->pump, &s->base))
        return s;
    free_shared(s);
    return NULL;
}

static qk_status start_keeper(struct shared *s, qk_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->keeper_runs = pthread_create(&s->keeper, NULL, shared_keeper, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->keeper_runs ? QK_OK : qk__error(err, QK_ENOMEM, "cannot start a thread");
}

static qk_status refuse_missing(const struct shared *s, qk_error *err)
{
    if (s->config.must_exist && access(s->path, F_OK) != 0)
        return qk__error(err, QK_ENOTFOUND, "%s does not exist: check the path", s->path);
    return QK_OK;
}

qk_status qk__shared_open(qk_store **out, const qk__store_config *config, qk_error *err)
{
    *out = NULL;
    struct shared *s = new_shared();
    if (!s)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = copy_config(s, config, err);
    if (!rc)
        rc = refuse_missing(s, err);
    if (!rc)
        rc = qk__file_system_check(s->path, &s->config.log, err);
    if (!rc && !s->config.brief)
        rc = qk__file_stay(&s->stay, s->path, err);
    if (!rc)
        rc = shared_seek(s, err);
    if (!rc)
        rc = start_keeper(s, err);
    if (rc) {
        shared_close(&s->base);
        return rc;
    }
    *out = &s->base;
    return QK_OK;
}
