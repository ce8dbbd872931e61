/*
 * Changes turned into a descriptor; see wait_pump.h. A failure of the store is tried again after a
 * pause: it is the calls that report it.
 */
#include "store/remote/wait_pump.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ROUND_US INT64_C(10000000)
#define PAUSE_MS 100

bool qk__wait_pump_init(qk__wait_pump *pump, qk_store *store)
{
    pthread_condattr_t attributes;
    *pump = (qk__wait_pump){ .store = store };
    pthread_mutex_init(&pump->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pump->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    pump->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return pump->fd >= 0;
}

/* True: go on. */
static bool pause_after(qk__wait_pump *pump, qk_status rc)
{
    pthread_mutex_lock(&pump->lock);
    if (rc != QK_OK && rc != QK_ETIMEDOUT && !pump->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PAUSE_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&pump->ended, &pump->lock, &until);
    }
    bool go_on = !pump->stop;
    pthread_mutex_unlock(&pump->lock);
    return go_on;
}

static void *pump_main(void *argument)
{
    qk__wait_pump *pump = argument;
    uint64_t seen = 0;
    qk_status rc;
    do {
        rc = pump->store->ops->changes(pump->store, &seen, ROUND_US, NULL);
        if (rc == QK_OK)
            (void)eventfd_write(pump->fd, 1);
    } while (pause_after(pump, rc));
    return NULL;
}

int qk__wait_pump_fd(qk__wait_pump *pump)
{
    sigset_t all, before;
    pthread_mutex_lock(&pump->lock);
    if (!pump->runs && !pump->stop) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pump->runs = pthread_create(&pump->thread, NULL, pump_main, pump) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    int fd = pump->runs ? pump->fd : -1;
    pthread_mutex_unlock(&pump->lock);
    return fd;
}

void qk__wait_pump_dispose(qk__wait_pump *pump)
{
    if (!pump->store)
        return;
    pthread_mutex_lock(&pump->lock);
    pump->stop = true;
    pthread_cond_broadcast(&pump->ended);
    bool runs = pump->runs;
    pthread_mutex_unlock(&pump->lock);
    if (runs)
        pthread_join(pump->thread, NULL);
    if (pump->fd >= 0)
        close(pump->fd);
    pthread_cond_destroy(&pump->ended);
    pthread_mutex_destroy(&pump->lock);
    pump->store = NULL;
}
