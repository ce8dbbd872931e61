/*
 * Finding an owner, or becoming it; and the keeper, which notices that either has to be done again.
 *
 * Takeover is a race for the file's lock, which the kernel frees when a process dies. Who wins opens
 * the file and listens; the others try the lock and the socket in turn until one of them works.
 */
#include "store/shared/shared_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/remote/remote.h"
#include "util/error.h"
#include "util/unix_socket.h"

#define PAUSE_MS 4 /* between two attempts */
#define TROUBLED_PAUSE_MS 200 /* after one that will hardly go better soon */
#define DEFER_US INT64_C(3000000) /* how long those who stay are given to take the file */
#define LOOK_MS 500 /* the owner looks after its file */

int64_t shared_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void install(struct shared *s, struct inner *inner)
{
    pthread_mutex_lock(&s->lock);
    s->inner = inner;
    s->generation++;
    s->trouble = (qk_error)QK_ERROR_INIT;
    bool stopping = s->stopping;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (stopping && inner->store->ops->stop)
        inner->store->ops->stop(inner->store);
}

static struct inner *new_inner(qk_store *store, bool owner, int watch)
{
    struct inner *inner = calloc(1, sizeof(*inner));
    if (inner) {
        inner->store = store;
        inner->owner = owner;
        inner->watch = watch;
        atomic_init(&inner->references, 1);
    }
    return inner;
}

/* Without a socket the store works all the same; other processes then wait for their turn. */
static void start_listening(struct shared *s)
{
    qk_error err = QK_ERROR_INIT;
    struct stat info;
    int listener = -1;
    if (stat(s->path, &info) == 0) {
        s->device = (uint64_t)info.st_dev;
        s->inode = (uint64_t)info.st_ino;
    }
    qk_status rc = qk__unix_listen(&listener, s->socket, s->path, &err);
    if (!rc) {
        const qk__http_options options = { .listener = listener,
                                           .store = &s->base,
                                           .default_queue = s->default_queue,
                                           .max_payload = s->config.max_payload,
                                           .identity = { s->device, s->inode },
                                           .log = s->config.log };
        qk__http *http = NULL;
        rc = qk__http_start(&http, &options, &err);
        pthread_mutex_lock(&s->lock);
        s->http = http;
        bool stopping = s->stopping;
        pthread_mutex_unlock(&s->lock);
        if (http && stopping)
            qk__http_refuse(http);
    }
    if (rc)
        qk__log_write(&s->config.log, QK_LOG_WARN,
                      "other processes cannot share %s, they wait until this one ends: %s", s->path,
                      err.message);
}

static qk_status try_to_own(struct shared *s, qk_error *err)
{
    qk_store *store = NULL;
    qk__store_config config = s->config;
    config.owner_wait_us = 0;
    qk_status rc = qk__embedded_open(&store, &config, err);
    if (rc)
        return rc;
    struct inner *inner = new_inner(store, true, -1);
    if (!inner) {
        store->ops->close(store);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    s->config.must_exist = true; /* from now on a missing file is a loss, not a beginning */
    install(s, inner);
    start_listening(s);
    return QK_OK;
}

static qk_status try_to_follow(struct shared *s, qk_error *err)
{
    qk_store *store = NULL;
    struct stat info;
    int watch = -1;
    bool there = stat(s->path, &info) == 0;
    const qk__remote_options options = { .socket = s->socket,
                                         .path = s->path,
                                         .device = there ? (uint64_t)info.st_dev : 0,
                                         .inode = there ? (uint64_t)info.st_ino : 0,
                                         .peer = s->peer,
                                         .default_queue = s->default_queue,
                                         .max_payload = s->config.max_payload,
                                         .patience_us = s->patience_us,
                                         .clock = s->config.clock };
    qk_status rc = qk__remote_open(&store, &options, err);
    if (!rc)
        rc = qk__remote_watch(&watch, store, err);
    struct inner *inner = rc ? NULL : new_inner(store, false, watch);
    if (!rc && !inner)
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    if (rc) {
        if (watch >= 0)
            close(watch);
        if (store)
            store->ops->close(store);
        return rc;
    }
    s->config.must_exist = true;
    install(s, inner);
    return QK_OK;
}

/* Nobody answers on the socket, or not any more. */
static bool nobody_there(qk_status rc, const qk_error *err)
{
    return rc == QK_ESTORE && (err->system_errno == ECONNREFUSED || err->system_errno == ENOENT ||
                               err->system_errno == ECONNRESET);
}

qk_status shared_attempt(struct shared *s, int64_t seeking_since_us, qk_error *err)
{
    bool defer = s->config.brief && shared_now_us() - seeking_since_us < DEFER_US &&
                 qk__file_others_stay(s->path);
    qk_status rc = defer ? QK_EBUSY : try_to_own(s, err);
    if (rc != QK_EBUSY)
        return rc;
    qk_error why = QK_ERROR_INIT;
    rc = try_to_follow(s, &why);
    if (nobody_there(rc, &why))
        return qk__error(err, QK_EBUSY,
                         "%s is in use by another process (pid %ld), which does not share it: wait "
                         "until it ends",
                         s->path, qk__file_lock_pid(s->path));
    if (rc && err)
        *err = why;
    return rc;
}

qk_status shared_seek(struct shared *s, qk_error *err)
{
    int64_t start = shared_now_us();
    int64_t wait = s->config.owner_wait_us;
    qk_status rc;
    while ((rc = shared_attempt(s, start, err)) == QK_EBUSY) {
        if (wait != INT64_MAX && shared_now_us() - start >= wait)
            break;
        poll(NULL, 0, PAUSE_MS);
    }
    return rc;
}

/* Sleeps until kicked, the descriptor is ready, or the time has passed. True: the latter two. */
static void sleep_on(struct shared *s, int fd, int milliseconds)
{
    struct pollfd look[] = { { .fd = s->kick, .events = POLLIN }, { .fd = fd, .events = POLLIN } };
    eventfd_t ignored;
    (void)poll(look, fd >= 0 ? 2 : 1, milliseconds);
    (void)eventfd_read(s->kick, &ignored);
}

static bool is_readable(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };
    return poll(&look, 1, 0) > 0;
}

/* The owner: is the file still where others look for it? What is written to one that was deleted or
 * moved away would be lost to everybody. */
static void look_after_file(struct shared *s)
{
    struct stat info;
    bool there = stat(s->path, &info) == 0 && (uint64_t)info.st_ino == s->inode &&
                 (uint64_t)info.st_dev == s->device;
    bool before = atomic_exchange(&s->moved, s->inode != 0 && !there);
    if (there == before)
        qk__log_write(&s->config.log, there ? QK_LOG_WARN : QK_LOG_ERROR,
                      there ? "%s is back in its place"
                            : "%s was deleted, renamed or replaced while "
                              "it is open: put it back",
                      s->path);
}

static void seek_once(struct shared *s, int64_t since_us)
{
    qk_error err = QK_ERROR_INIT;
    qk_status rc = shared_attempt(s, since_us, &err);
    if (!rc)
        return;
    pthread_mutex_lock(&s->lock);
    bool news = s->trouble.code != rc && rc != QK_EBUSY;
    s->trouble = err;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (news)
        qk__log_write(&s->config.log, QK_LOG_WARN, "looking for the store's owner: %s",
                      err.message);
    sleep_on(s, -1, rc == QK_EBUSY ? PAUSE_MS : TROUBLED_PAUSE_MS);
}

/* The present inner, if any, is held until shared_unuse. */
static bool closing(struct shared *s, struct inner **inner, uint64_t *generation)
{
    pthread_mutex_lock(&s->lock);
    bool answer = s->closing;
    *inner = answer ? NULL : s->inner;
    *generation = s->generation;
    if (*inner)
        atomic_fetch_add(&(*inner)->references, 1);
    pthread_mutex_unlock(&s->lock);
    return answer;
}

void *shared_keeper(void *argument)
{
    struct shared *s = argument;
    struct inner *inner;
    uint64_t generation;
    int64_t since_us = shared_now_us();
    while (!closing(s, &inner, &generation)) {
        if (!inner) {
            seek_once(s, since_us);
            continue;
        }
        if (inner->owner) {
            sleep_on(s, -1, LOOK_MS);
            look_after_file(s);
        } else {
            sleep_on(s, inner->watch, -1);
            since_us = shared_now_us();
            if (is_readable(inner->watch))
                shared_retire(s, generation);
        }
        shared_unuse(inner);
    }
    return NULL;
}
