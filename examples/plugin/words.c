/*
 * A plugin: the kind "count-words" answers how many words its payload, a JSON string, has.
 *
 *   cc -shared -fPIC -o words.so words.c
 *   queuack enqueue count-words -d '"to be or not to be"'
 *   queuack worker --drain --plugin ./words.so
 *   queuack jobs result @1                                  # {"words":6}
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include <queuack/plugin.h>

/* What the plugin keeps for its handlers: here, how many jobs it has seen. */
typedef struct counter {
    unsigned long long jobs;
} counter;

static unsigned count_words(const char *text)
{
    unsigned words = 0;
    int inside = 0;

    for (; *text; text++) {
        int letter = !isspace((unsigned char)*text) && *text != '"';
        words += letter && !inside;
        inside = letter;
    }
    return words;
}

/* Runs on several threads at once: whatever it shares must be safe for that. */
static qk_status run_count(qk_task *task, void *user, qk_error *err)
{
    counter *counter = user;
    const char *payload = qk_task_payload(task);
    char result[64];

    __atomic_fetch_add(&counter->jobs, 1, __ATOMIC_RELAXED);
    if (payload[0] != '"') {
        qk_task_permanent(task); /* trying again would not help */
        snprintf(err->message, sizeof(err->message), "the payload must be a JSON string");
        return QK_EINVAL;
    }
    snprintf(result, sizeof(result), "{\"words\":%u}", count_words(payload));
    return qk_task_result(task, result, err);
}

static qk_status open_words(void **state, qk_worker *worker, qk_error *err)
{
    counter *counter = calloc(1, sizeof(*counter));

    if (!counter) {
        snprintf(err->message, sizeof(err->message), "out of memory");
        return QK_ENOMEM;
    }
    *state = counter;
    qk_status rc = qk_worker_handle(worker, "count-words", run_count, counter, err);
    if (rc != QK_OK)
        free(counter); /* close is not called after an error */
    return rc;
}

static void close_words(void *state)
{
    free(state);
}

QK_PLUGIN("words", open_words, close_words);
