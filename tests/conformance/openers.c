/*
 * The stores that the conformance suite runs on. A further store adds its row here.
 */
#include "suite.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "queue/queue_internal.h"
#ifdef QUEUACK_HTTP
#include "store/shared/shared_internal.h"
#endif

static void file_url(char *out, size_t size, const suite *s)
{
    snprintf(out, size, "%.*s/jobs.duckdb", (int)size - 16, s->folder);
}

/* What may lie beside a store; anything else makes the test fail when its folder is removed. */
static void file_dispose(suite *s)
{
    static const char *const suffixes[] = { "", ".wal", ".lock" };
    char path[5000];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", s->url, suffixes[i]);
        (void)unlink(path);
    }
}

static void memory_url(char *out, size_t size, const suite *s)
{
    (void)s;
    snprintf(out, size, ":memory:");
}

#ifdef QUEUACK_HTTP
/* The handle under test follows another one, which owns the file. A lock is between handles, not
 * processes, so that both can live here and share the test's clock. */
static qk_queue *open_owner(const suite *s, qk_error *err)
{
    qk_queue *owner = NULL;
    qk_queue_options options = s->options;
    options.brief = false;
    (void)qk_queue_open(&owner, s->url, &options, err);
    return owner;
}

static qk_queue *must_open_owner(const suite *s)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *owner = open_owner(s, &err);
    if (!owner)
        fail_msg("owner of %s: %s", s->url, err.message);
    return owner;
}

static void owner_open(suite *s)
{
    s->owner = must_open_owner(s);
    s->options.brief = true; /* the owner's successors come first */
}

static void owner_close(suite *s)
{
    qk_queue_close(s->owner);
    s->owner = NULL;
}

/*
 * Owners that replace each other underneath the handle under test. Each lives for a moment; if it has
 * answered nothing in that time, the next one lives twice as long, so that every call gets through
 * at last, however slow the machine is.
 */
typedef struct relay {
    suite *s;
    pthread_t thread;
    atomic_bool stop;
    qk_queue *owner;
} relay;

#define LIFE_MS 20

static uint64_t answered_by(qk_queue *owner)
{
    struct shared *s = shared_of(qk__queue_store(owner));
    pthread_mutex_lock(&s->lock);
    uint64_t answered = s->http ? qk__http_answered(s->http) : 0;
    pthread_mutex_unlock(&s->lock);
    return answered;
}

static void *relay_main(void *argument)
{
    relay *relay = argument;
    long life_ms = LIFE_MS;
    while (!atomic_load(&relay->stop)) {
        qk_error err = QK_ERROR_INIT;
        qk_stats *stats = NULL;
        qk_queue *next = open_owner(relay->s, &err);
        if (!next) {
            fprintf(stderr, "the next owner: %s\n", err.message);
            break;
        }
        qk_queue_close(relay->owner);
        relay->owner = next;
        if (qk_stats_get(&stats, next, &err) != QK_OK) /* answered once it owns the file */
            fprintf(stderr, "the next owner: %s\n", err.message);
        qk_stats_free(stats);
        for (long gone = 0; gone < life_ms && !atomic_load(&relay->stop); gone += LIFE_MS) {
            struct timespec some = { 0, LIFE_MS * 1000000L };
            nanosleep(&some, NULL);
        }
        life_ms = answered_by(next) > 0 ? LIFE_MS : life_ms * 2;
    }
    return NULL;
}

/* May end within a test that did not begin it: no memory of cmocka's, which looks after each. */
static void relay_start(suite *s)
{
    relay *relay = calloc(1, sizeof(*relay));
    assert_non_null(relay);
    relay->s = s;
    relay->owner = must_open_owner(s);
    s->options.brief = true;
    s->owner = relay;
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_main, relay), 0);
}

static void relay_end(suite *s)
{
    relay *relay = s->owner;
    atomic_store(&relay->stop, true);
    pthread_join(relay->thread, NULL);
    qk_queue_close(relay->owner);
    free(relay);
    s->owner = NULL;
}
#endif

const suite_opener suite_openers[] = {
    { "file", true, true, file_url, NULL, NULL, file_dispose, false },
    { "memory", false, true, memory_url, NULL, NULL, NULL, false },
#ifdef QUEUACK_HTTP
    { "remote", true, true, file_url, owner_open, owner_close, file_dispose, false },
    { "replaced", true, true, file_url, relay_start, relay_end, file_dispose, true },
#endif
};
const size_t suite_opener_count = sizeof(suite_openers) / sizeof(*suite_openers);
