/*
 * See run_feed.h. One lock guards the pile that is being filled; the one being read belongs to the
 * reader. Hooks run on the pool's threads.
 */
#include "run_feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

typedef struct pile {
    run_feed_item *items;
    size_t count, capacity;
} pile;

struct run_feed {
    pthread_mutex_t lock;
    pile fresh; /* guarded by lock */
    bool lost; /* guarded by lock */
    pile taken; /* the reader's */
};

static void forget(pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        free(pile->items[i].node);
        free(pile->items[i].names);
        free(pile->items[i].error);
        free(pile->items[i].tail);
    }
    pile->count = 0;
}

static bool make_room(pile *pile)
{
    if (pile->count < pile->capacity)
        return true;
    size_t capacity = pile->capacity ? pile->capacity * 2 : 256;
    run_feed_item *items = realloc(pile->items, capacity * sizeof(*items));
    if (!items)
        return false;
    pile->items = items;
    pile->capacity = capacity;
    return true;
}

static void add(run_feed *feed, const run_feed_item *item)
{
    pthread_mutex_lock(&feed->lock);
    bool room = make_room(&feed->fresh);
    if (room)
        feed->fresh.items[feed->fresh.count++] = *item;
    else
        feed->lost = true;
    pthread_mutex_unlock(&feed->lock);
    if (!room) {
        pile single = { (run_feed_item[]){ *item }, 1, 1 };
        forget(&single);
    }
}

static void stamp(run_feed_item *item)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    item->at.us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    clock_gettime(CLOCK_MONOTONIC, &now);
    item->mono_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL; /* without memory: not shown */
}

static void started(void *user, const qk_claimed *claim)
{
    run_feed_item item = {
        .type = RUN_FEED_STARTED,
        .job = claim->lease.job,
        .run = claim->run_id,
        .attempt = claim->lease.attempt,
        .node = copy(claim->node_name),
        .is_dag = strcmp(claim->kind, "dag") == 0 || strncmp(claim->kind, "dag:", 4) == 0,
    };
    stamp(&item);
    add(user, &item);
}

/* NULL without memory: the store is asked. */
static char *list_names(const qk_dag *dag)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%s%c", qk_dag_name(dag), '\0');
    for (size_t i = 0; i < qk_dag_node_count(dag); i++) {
        qk_node node;
        qk_dag_node(&node, dag, i);
        fprintf(out, "%c%s%c", node.type == QK_NODE_DAG ? 'd' : 't', node.name, '\0');
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static void expanded(void *user, const qk_claimed *claim, qk_id run, const qk_dag *dag)
{
    run_feed_item item = {
        .type = RUN_FEED_EXPANDED,
        .job = claim->lease.job,
        .run = run,
        .names = dag ? list_names(dag) : NULL,
    };
    stamp(&item);
    add(user, &item);
}

static void finished(void *user, const qk_outcome *outcome, bool final, qk_status status)
{
    bool failed = outcome->verdict == QK_VERDICT_FAIL;
    run_feed_item item = {
        .type = RUN_FEED_ENDED,
        .job = outcome->lease.job,
        .attempt = outcome->lease.attempt,
        .verdict = outcome->verdict,
        .final = final,
        .refused = status != QK_OK,
        .has_exit_code = outcome->has_exit_code,
        .exit_code = outcome->exit_code,
        .took_us = outcome->run_time.us,
        .error = failed ? copy(outcome->error) : NULL,
        .tail = failed ? copy(outcome->log_tail) : NULL,
    };
    stamp(&item);
    add(user, &item);
}

qk_status run_feed_open(run_feed **out, qk_error *err)
{
    run_feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return cli_error(err, QK_ENOMEM, "out of memory");
    pthread_mutex_init(&feed->lock, NULL);
    *out = feed;
    return QK_OK;
}

void run_feed_attach(run_feed *feed, qk_worker_options *options)
{
    options->on_started = started;
    options->on_started_user = feed;
    options->on_expanded = expanded;
    options->on_expanded_user = feed;
    options->on_finished = finished;
    options->on_finished_user = feed;
}

size_t run_feed_take(run_feed *feed, run_feed_item **out)
{
    forget(&feed->taken);
    pthread_mutex_lock(&feed->lock);
    pile full = feed->fresh;
    feed->fresh = feed->taken;
    pthread_mutex_unlock(&feed->lock);
    feed->taken = full;
    *out = full.items;
    return full.count;
}

bool run_feed_lost(run_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    bool lost = feed->lost;
    feed->lost = false;
    pthread_mutex_unlock(&feed->lock);
    return lost;
}

void run_feed_close(run_feed *feed)
{
    if (!feed)
        return;
    forget(&feed->fresh);
    forget(&feed->taken);
    free(feed->fresh.items);
    free(feed->taken.items);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}
