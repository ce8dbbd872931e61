/*
 * The stores that the conformance suite runs on. A further store adds its row here.
 */
#include "suite.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

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
static qk_queue *open_owner(suite *s)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *owner = NULL;
    qk_queue_options options = s->options;
    options.brief = false;
    if (qk_queue_open(&owner, s->url, &options, &err) != QK_OK)
        fail_msg("owner of %s: %s", s->url, err.message);
    s->options.brief = true; /* the owner's successors come first */
    return owner;
}

static void owner_open(suite *s)
{
    s->owner = open_owner(s);
}

static void owner_close(suite *s)
{
    qk_queue_close(s->owner);
    s->owner = NULL;
}

/* Owners that replace each other underneath the handle under test, as fast as they can. */
typedef struct relay {
    suite *s;
    pthread_t thread;
    atomic_bool stop;
    qk_queue *owner;
} relay;

static void *relay_main(void *argument)
{
    relay *relay = argument;
    while (!atomic_load(&relay->stop)) {
        struct timespec life = { 0, 20000000 }; /* so that calls get through in between */
        qk_error err = QK_ERROR_INIT;
        qk_stats *stats = NULL;
        qk_queue *next = open_owner(relay->s);
        qk_queue_close(relay->owner);
        relay->owner = next;
        if (qk_stats_get(&stats, next, &err) != QK_OK) /* answered once it owns the file */
            fprintf(stderr, "the next owner: %s\n", err.message);
        qk_stats_free(stats);
        nanosleep(&life, NULL);
    }
    return NULL;
}

static void relay_start(suite *s)
{
    relay *relay = test_calloc(1, sizeof(*relay));
    relay->s = s;
    relay->owner = open_owner(s);
    s->owner = relay;
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_main, relay), 0);
}

static void relay_end(suite *s)
{
    relay *relay = s->owner;
    atomic_store(&relay->stop, true);
    pthread_join(relay->thread, NULL);
    qk_queue_close(relay->owner);
    test_free(relay);
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
