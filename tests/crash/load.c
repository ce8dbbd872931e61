/*
 * The load of the SIGKILL rounds; see load.h. Runs in a forked child, or, for the last drain, in the
 * test itself. Any error of the library ends the process with a message: none is expected.
 */
#include "load.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/queue_internal.h"

#define OUTSTANDING_MAX 600
#define BATCH 8

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Reports that the store took, not yet known to be durable; with `lock`. */
static struct ledger_line *taken;
static size_t taken_count, taken_room;

#define MUST(call)                                                                                 \
    do {                                                                                           \
        qk_error err = QK_ERROR_INIT;                                                              \
        qk_status must_rc = (call);                                                                \
        if (must_rc != QK_OK) {                                                                    \
            fprintf(stderr, "%s: %s: %s\n", #call, qk_status_json_code(must_rc), err.message);     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static qk_status work(qk_task *task, void *user, qk_error *err)
{
    struct load *load = user;
    char result[64];
    ledger_write(&load->ledger, 'S', qk_task_job_id(task), qk_task_attempt(task));
    if (atomic_fetch_add(&load->started, 1) + 1 == load->kill_handler_at) {
        atomic_fetch_add(load->handler_hits, 1);
        kill(getpid(), SIGKILL);
    }
    ledger_write(&load->ledger, 'D', qk_task_job_id(task), qk_task_attempt(task));
    snprintf(result, sizeof(result), "{\"attempt\":%d}", (int)qk_task_attempt(task));
    return qk_task_result(task, result, err);
}

static void finished(void *user, const qk_outcome *outcome, bool final, qk_status status)
{
    struct load *load = user;
    (void) final;
    if (status != QK_OK || outcome->verdict != QK_VERDICT_ACK) {
        fprintf(stderr, "an outcome was not taken: %s\n", qk_status_json_code(status));
        abort();
    }
    pthread_mutex_lock(&lock);
    if (taken_count == taken_room) {
        taken_room = taken_room * 2 + 256;
        taken = realloc(taken, taken_room * sizeof(*taken));
        if (!taken)
            abort();
    }
    taken[taken_count++] =
        (struct ledger_line){ outcome->lease.job, 'A', outcome->lease.attempt, 0 };
    atomic_fetch_sub(&load->outstanding, 1);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* What was taken before a flush that succeeds is durable. */
static void *flush_main(void *user)
{
    struct load *load = user;
    qk_store *store = qk__queue_store(load->queue);
    for (;;) {
        pthread_mutex_lock(&lock);
        while (taken_count == 0)
            pthread_cond_wait(&changed, &lock);
        struct ledger_line *lines = taken;
        size_t count = taken_count;
        taken = NULL;
        taken_count = taken_room = 0;
        pthread_mutex_unlock(&lock);
        MUST(store->ops->flush(store, &err));
        ledger_write_all(&load->ledger, lines, count);
        free(lines);
    }
    return NULL;
}

static void *claim_main(void *user)
{
    struct load *load = user;
    const char *queue = "direct";
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.queues = &queue;
    options.queue_count = 1;
    options.wait = qk_seconds(10);
    for (;;) {
        qk_claims *claims = NULL;
        qk_error err = QK_ERROR_INIT;
        char result[64];
        if (qk_claim(&claims, load->queue, &options, &err) != QK_OK)
            continue;
        qk_lease lease = claims->items[0].lease;
        ledger_write(&load->ledger, 'S', lease.job, lease.attempt);
        ledger_write(&load->ledger, 'D', lease.job, lease.attempt);
        snprintf(result, sizeof(result), "{\"attempt\":%d}", (int)lease.attempt);
        MUST(qk_ack(load->queue, &lease, result, &err));
        ledger_write(&load->ledger, 'A', lease.job, lease.attempt);
        qk_claims_free(claims);
        atomic_fetch_sub(&load->outstanding, 1);
    }
    return NULL;
}

static qk_job_options job_options(qk_id id, bool direct)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.id = id;
    options.max_lost = 1000; /* each round may lose it */
    options.queue = direct ? "direct" : NULL;
    return options;
}

static void returned(struct load *load, const struct ledger_line *lines, size_t count)
{
    if (atomic_fetch_add(&load->produced, 1) + 1 == load->kill_producer_at) {
        atomic_fetch_add(load->producer_hits, 1);
        kill(getpid(), SIGKILL);
    }
    ledger_write_all(&load->ledger, lines, count);
}

static void produce_one(struct load *load, bool direct)
{
    qk_id id = qk_id_new(), out;
    qk_job_options options = job_options(id, direct);
    struct ledger_line line = { id, 'E', 0, 0 };
    ledger_write(&load->ledger, 'P', id, direct);
    MUST(qk_enqueue(&out, load->queue, "work", "{\"one\":true}", &options, &err));
    if (qk_id_compare(out, id) != 0)
        abort();
    returned(load, &line, 1);
}

/* A batch whose later jobs need the first one. It is planned as a whole, since it is all or none. */
static void produce_batch(struct load *load)
{
    qk_job_options options[BATCH];
    qk_job_spec specs[BATCH];
    qk_enqueued out[BATCH];
    struct ledger_line lines[2 * BATCH];
    size_t used = 0;
    qk_id first = qk_id_new();
    for (size_t i = 0; i < BATCH; i++) {
        options[i] = job_options(i == 0 ? first : qk_id_new(), false);
        options[i].needs = i == 0 ? NULL : &first;
        options[i].needs_count = i > 0;
        specs[i] = (qk_job_spec){ "work", "{\"batch\":true}", &options[i] };
        if (i > 0) {
            lines[used++] = (struct ledger_line){ options[i].id, 'N', 0, 0 };
            lines[used++] = (struct ledger_line){ first, 'N', 1, 0 };
        }
    }
    ledger_write_all(&load->ledger, lines, used);
    MUST(qk_enqueue_batch(out, load->queue, specs, BATCH, &err));
    for (size_t i = 0; i < BATCH; i++)
        lines[i] = (struct ledger_line){ out[i].id, 'E', 0, 0 };
    returned(load, lines, BATCH);
}

static void *produce_main(void *user)
{
    struct load *load = user;
    for (unsigned n = 0;; n++) {
        pthread_mutex_lock(&lock);
        while (atomic_load(&load->outstanding) > OUTSTANDING_MAX)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        bool batch = n % 16 == 7;
        atomic_fetch_add(&load->outstanding, batch ? BATCH : 1);
        if (batch)
            produce_batch(load);
        else
            produce_one(load, n % 16 == 3);
    }
    return NULL;
}

/* A purge that finds nothing turns the journal, settles and checkpoints. */
static void *checkpoint_main(void *user)
{
    struct load *load = user;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    filter.older_than = qk_seconds(1000000);
    for (;;) {
        size_t purged = 0;
        MUST(qk_purge(&purged, load->queue, &filter, &err));
    }
    return NULL;
}

void load_open(struct load *load)
{
    MUST(qk_queue_open(&load->queue, load->path, NULL, &err));
    for (size_t i = 0; i < load->unsure_count; i++) {
        const struct ledger_line *line = &load->unsure[i];
        qk_job_options options = job_options(line->id, line->number == 1);
        MUST(qk_enqueue(NULL, load->queue, "work", "{\"again\":true}", &options, &err));
        ledger_write(&load->ledger, 'E', line->id, 0);
    }
}

static void start(struct load *load, void *(*fn)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, load) != 0)
        abort();
    pthread_detach(thread);
}

static void open_worker(struct load *load, bool drain)
{
    const char *queues[] = { "default", "direct" };
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = LOAD_SLOTS;
    options.drain = drain;
    options.on_finished = finished;
    options.on_finished_user = load;
    options.queues = queues;
    options.queue_count = drain ? 2 : 1;
    MUST(qk_worker_open(&load->worker, load->queue, &options, &err));
    MUST(qk_worker_handle(load->worker, "work", work, load, &err));
}

void load_run(struct load *load)
{
    open_worker(load, false);
    start(load, flush_main);
    start(load, claim_main);
    for (int i = 0; i < LOAD_PRODUCERS; i++)
        start(load, produce_main);
    if (load->checkpoints)
        start(load, checkpoint_main);
    MUST(qk_worker_run(load->worker, &err));
    abort();
}

void load_drain(struct load *load)
{
    open_worker(load, true);
    MUST(qk_worker_run(load->worker, &err));
    qk_worker_close(load->worker);
    if (taken_count > 0)
        ledger_write_all(&load->ledger, taken, taken_count);
    free(taken);
    taken = NULL;
    taken_count = taken_room = 0;
    qk_queue_close(load->queue);
}
