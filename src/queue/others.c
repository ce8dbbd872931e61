/*
 * Other stores by alias; see others.h. Messages name the alias, never the URL, which may hold
 * credentials.
 */
#include "queue/others.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "queue/validate.h"
#include "util/error.h"

typedef struct other {
    char *alias, *url;
    qk_queue *queue; /* NULL: not opened yet */
} other;

struct qk__others {
    pthread_mutex_t lock;
    qk_queue_options options; /* the log of the handle they belong to; else the defaults */
    size_t count;
    other items[];
};

static qk_status add(qk__others *others, const qk_store_alias *given, qk_error *err)
{
    qk_status rc = qk__check_name("alias of a store", given->alias, err);
    if (!rc && (!given->url || !*given->url))
        rc = qk__error(err, QK_EINVAL, "store '%s': has no URL: give one", given->alias);
    for (size_t i = 0; !rc && i < others->count; i++) {
        if (strcmp(others->items[i].alias, given->alias) == 0)
            rc = qk__error(err, QK_ECONFLICT, "store '%s': is named twice: use another alias",
                           given->alias);
    }
    if (rc)
        return rc;
    other *item = &others->items[others->count++];
    item->alias = strdup(given->alias);
    item->url = strdup(given->url);
    return item->alias && item->url ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
}

qk_status qk__others_new(qk__others **out, const qk_queue_options *options, qk_error *err)
{
    static const qk_queue_options defaults = QK_QUEUE_OPTIONS_INIT;
    *out = NULL;
    if (options->store_count == 0)
        return QK_OK;
    if (!options->stores)
        return qk__error(err, QK_EINVAL, "stores is NULL but store_count is %zu",
                         options->store_count);
    qk__others *others = calloc(1, sizeof(*others) + options->store_count * sizeof(other));
    if (!others)
        return qk__error(err, QK_ENOMEM, "out of memory");
    pthread_mutex_init(&others->lock, NULL);
    others->options = defaults;
    others->options.log = options->log;
    others->options.log_user = options->log_user;
    others->options.log_level = options->log_level;
    others->options.owner_wait = options->owner_wait;
    qk_status rc = QK_OK;
    for (size_t i = 0; !rc && i < options->store_count; i++)
        rc = add(others, &options->stores[i], err);
    if (rc) {
        qk__others_close(others);
        return rc;
    }
    *out = others;
    return QK_OK;
}

static other *find(qk__others *others, const char *alias)
{
    for (size_t i = 0; others && i < others->count; i++) {
        if (strcmp(others->items[i].alias, alias) == 0)
            return &others->items[i];
    }
    return NULL;
}

qk_status qk__others_get(qk_queue **out, qk__others *others, const char *alias, qk_error *err)
{
    qk_error problem = QK_ERROR_INIT;
    qk_status rc = QK_OK;
    other *found = find(others, alias);
    if (!found)
        return qk__error(err, QK_ENOTFOUND,
                         "there is no store '%s': give its alias and URL when opening the queue",
                         alias);
    pthread_mutex_lock(&others->lock);
    if (!found->queue)
        rc = qk_queue_open(&found->queue, found->url, &others->options, &problem);
    *out = found->queue;
    pthread_mutex_unlock(&others->lock);
    if (rc) { /* what the store says may hold its URL, and that a password */
        bool secret = strchr(found->url, '@') != NULL;
        return qk__error(err, rc, "store '%s': %s", alias,
                         secret ? qk_status_text(rc) : problem.message);
    }
    return QK_OK;
}

void qk__others_close(qk__others *others)
{
    for (size_t i = 0; others && i < others->count; i++) {
        qk_queue_close(others->items[i].queue);
        free(others->items[i].alias);
        free(others->items[i].url);
    }
    if (others)
        pthread_mutex_destroy(&others->lock);
    free(others);
}
