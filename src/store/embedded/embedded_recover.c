/*
 * The engine from the journal: at open, and after a commit that failed.
 *
 * When a commit fails, the engine is ahead of the disk. Everything that is not durable is forgotten
 * by rebuilding from the journal, so that nothing is half-done; callers that wait get the error.
 * Claims that workers hold are put back, so that their reports still count. From then on a probe
 * has to reach the disk before anything new is accepted.
 */
#include "store/embedded/embedded_internal.h"

#include "util/error.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct replay {
    qk__engine *engine;
    uint8_t last_op;
    uint64_t last_batch;
};

static qk_status replay_row(void *user, const qk__row *row, uint64_t batch)
{
    struct replay *replay = user;
    replay->last_op = row->op;
    replay->last_batch = batch > replay->last_batch ? batch : replay->last_batch;
    return qk__engine_load(replay->engine, row, batch);
}

static qk_status explain(qk_status rc, qk_error *err)
{
    if (rc == QK_EDAMAGED) {
        return qk__error(err, rc, "the journal holds rows that make no sense: restore a backup");
    }
    return rc == QK_ENOMEM ? no_memory(err) : rc;
}

static qk_status recount_runs(struct embedded *store, qk__engine *engine, qk_error *err)
{
    qk_id *ids = NULL;
    size_t count = 0;
    qk_status rc = explain(qk__engine_loaded_runs(engine, &ids, &count), err);
    qk__run_facts *facts = count == 0 ? NULL : calloc(count, sizeof *facts);
    for (size_t i = 0; facts != NULL && i < count; i++) {
        facts[i].id = ids[i];
    }
    if (rc == QK_OK && count > 0) {
        rc = facts == NULL ? no_memory(err) : run_facts(store, facts, count, err);
    }
    if (rc == QK_OK) {
        qk__engine_run_facts(engine, facts, count);
    }
    free(facts);
    free(ids);
    return rc;
}

static qk_status recover(struct embedded *store, qk__engine *engine, bool clean, qk_error *err)
{
    qk_id *parents = NULL;
    size_t count = 0;
    qk__cold_set cold = { NULL, 0 };
    qk_status rc = explain(qk__engine_loaded_parents(engine, &parents, &count), err);
    if (rc == QK_OK && count > 0) {
        rc = cold_lookup(store, parents, count, &cold, err);
    }
    rc = rc == QK_OK ? recount_runs(store, engine, err) : rc;
    if (rc == QK_OK) {
        rc = explain(qk__engine_recover(engine, embedded_now(store), clean, &cold), err);
    }
    cold_dispose(&cold);
    free(parents);
    return rc;
}

static qk__engine *new_engine(const struct embedded *store)
{
    qk__engine_config config = { .strict = store->config.strict,
                                 .backpressure_warn = store->config.backpressure_warn,
                                 .backpressure_limit = store->config.backpressure_limit,
                                 .payload_cache = 64u << 20,
                                 .peer = store->config.peer };
    qk_id seed = qk_id_new();
    memcpy(&config.seed, seed.bytes + 8, sizeof config.seed);
    return qk__engine_new(&config);
}

/* Loads a fresh engine. `held` (may be empty) are claims that survive. */
static qk_status load(struct embedded *store, qk__engine **out, const qk__held_claim *held,
                      size_t held_count, bool *clean, qk_error *err)
{
    struct replay replay = { .engine = new_engine(store), .last_op = QK__OP_CLOSE };
    qk_status rc = replay.engine == NULL ? no_memory(err) : QK_OK;
    uint64_t last = 0;
    if (rc == QK_OK) {
        rc = store->journal->ops->replay(store->journal, replay_row, &replay, err);
        rc = err != NULL && err->code == QK_OK ? explain(rc, err) : rc;
    }
    if (rc == QK_OK) {
        rc = store->journal->ops->last_batch(store->journal, &last, err);
    }
    if (rc == QK_OK) {
        qk__row marker = { .op = QK__OP_CLOSE };
        (void)qk__engine_load(replay.engine, &marker, last);
        for (size_t i = 0; i < held_count; i++) {
            qk__engine_hold(replay.engine, &held[i]);
        }
        *clean = *clean && replay.last_op == QK__OP_CLOSE;
        rc = recover(store, replay.engine, *clean, err);
    }
    if (rc != QK_OK) {
        qk__engine_free(replay.engine);
        return rc;
    }
    *out = replay.engine;
    return QK_OK;
}

/* Workers of this machine whose process is no more; others will not be heard of and go then. */
static bool is_dead(void *user, const char *told)
{
    const char *host = user;
    json_t *json = json_loads(told, 0, NULL);
    const char *name = json_string_value(json_object_get(json, "host"));
    json_int_t pid = json_integer_value(json_object_get(json, "pid"));
    bool dead = name != NULL && strcmp(name, host) == 0 && pid > 0 && pid <= INT32_MAX &&
                kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    json_decref(json);
    return dead;
}

static void end_dead_workers(const struct embedded *store, qk__engine *engine)
{
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    qk__engine_end_workers(engine, embedded_now(store), is_dead, host);
}

qk_status engine_rebuild(struct embedded *store, bool *clean, qk_error *err)
{
    qk__engine *engine = NULL;
    qk_status rc = load(store, &engine, NULL, 0, clean, err);
    if (rc != QK_OK) {
        return rc;
    }
    end_dead_workers(store, engine);
    store->engine = engine;
    store->durable_batch = qk__engine_batch(engine) - 1;
    store->tidy_later = true; /* replaying filled DuckDB's cache */
    store->last_commit_us = embedded_now(store).mono_us; /* idle time counts from now */
    if (store->journal->ops->unsettled(store->journal)) {
        qk__engine_carry_start(engine); /* the last owner was carrying when it ended */
    }
    return QK_OK;
}

static void remember_failure(struct embedded *store, uint64_t upto, const qk_error *why)
{
    struct failure *last = &store->failures[store->failure_count - (store->failure_count > 0)];
    if (store->failure_count > 0 && last->upto == upto) {
        store->trouble = *why;
        return; /* the same, tried again */
    }
    if (store->failure_count == FAILURES_KEPT) {
        memmove(store->failures, store->failures + 1,
                sizeof store->failures - sizeof *store->failures);
        store->failure_count--;
    }
    store->failures[store->failure_count++] =
        (struct failure){ .after = store->durable_batch, .upto = upto, .error = *why };
    store->trouble = *why;
}

/*
 * From here to end_reviving calls wait, and nobody but us uses the database. The keeper and who reads
 * or writes it now are let finish: `lock` is released meanwhile.
 */
static void begin_reviving(struct embedded *store)
{
    while (store->reviving) {
        wait_some(store, &store->state, 10000);
    }
    store->reviving = true;
    while (store->settling || store->borrowers > 0) {
        if (store->reader != NULL) {
            qk__reader_interrupt(store->reader);
        }
        wait_some(store, store->settling ? &store->upkeep : &store->state, 10000);
    }
}

static void end_reviving(struct embedded *store)
{
    store->reviving = false;
    wake_all(store);
}

/* While reviving. An error: the store is broken, and says why. */
static qk_status reopen(struct embedded *store)
{
    qk_error err = QK_ERROR_INIT;
    close_database(store);
    qk_status rc = open_database(store, &err);
    if (rc != QK_OK) {
        close_database(store);
        store->broken = true;
        store->trouble = err;
    }
    return rc;
}

bool database_revive(struct embedded *store)
{
    uint64_t last = 0;
    begin_reviving(store);
    bool refuses =
        !store->broken && store->journal->ops->last_batch(store->journal, &last, NULL) != QK_OK;
    bool revived = refuses && reopen(store) == QK_OK;
    end_reviving(store);
    return revived;
}

/* Loads from the journal as it is, or after opening the file anew. */
static qk_status reload(struct embedded *store, qk__engine **out)
{
    bool clean = true;
    qk_error err = QK_ERROR_INIT;
    qk_status rc = QK_EIO;
    if (store->journal != NULL) {
        rc = load(store, out, store->held, store->held_count, &clean, &err);
        if (rc == QK_OK) {
            return rc;
        }
        qk__log_event(&store->config.log, QK_LOG_ERROR, "store.reopening", QK__NO_FIELDS,
                      "reopening the store: %s", err.message);
    }
    rc = reopen(store);
    err = store->trouble;
    rc = rc == QK_OK ? load(store, out, store->held, store->held_count, &clean, &err) : rc;
    if (rc != QK_OK) {
        store->trouble = err;
    }
    return rc;
}

/* What the present engine holds beyond the disk is forgotten; a new one takes its place. */
static void replace_engine(struct embedded *store)
{
    qk__engine *engine = NULL;
    uint64_t upto = qk__engine_batch(store->engine);
    store->counters.commit_failures++;
    store->broken = reload(store, &engine) != QK_OK;
    if (store->broken) {
        return;
    }
    qk__row marker = { .op = QK__OP_CLOSE };
    (void)qk__engine_load(engine, &marker, upto);
    qk__engine_inherit(engine, store->engine);
    qk__engine_free(store->engine);
    qk__upstream_cache_free(&store->upstreams);
    store->engine = engine;
    store->suspended = true;
    store->settle_due = false;
    free(store->held);
    store->held = NULL;
    store->held_count = 0;
    if (store->journal->ops->unsettled(store->journal)) {
        qk__engine_carry_start(engine);
    }
}

static void keep_claims(struct embedded *store)
{
    if (store->held == NULL) {
        (void)qk__engine_held(store->engine, &store->held, &store->held_count);
    }
}

void commit_failed(struct embedded *store, qk__cut *cut, const qk_error *why)
{
    uint64_t upto = qk__engine_batch(store->engine);
    qk__log_event(&store->config.log, QK_LOG_ERROR, "commit.failed",
                  QK__FIELDS(qk__log_text("code", qk_status_json_code(why->code))),
                  "a commit failed: %s", why->message);
    begin_reviving(store);
    keep_claims(store);
    remember_failure(store, upto, why);
    qk__engine_drop_cut(cut);
    replace_engine(store);
    end_reviving(store);
}

bool mend(struct embedded *store)
{
    begin_reviving(store);
    if (store->broken && !store->stop) {
        keep_claims(store);
        remember_failure(store, qk__engine_batch(store->engine), &store->trouble);
        replace_engine(store);
    }
    end_reviving(store);
    return !store->broken;
}

qk_status probe_disk(struct embedded *store)
{
    qk_error err = QK_ERROR_INIT;
    qk__row row = { .op = QK__OP_PROBE };
    while (store->probing) {
        wait_some(store, &store->state, 10000);
    }
    if (!store->suspended) {
        return store->broken ? store->trouble.code : QK_OK;
    }
    qk__cut cut = { .batch = qk__engine_batch(store->engine), .rows = &row, .count = 1 };
    (void)qk__engine_load(store->engine, &row, cut.batch);
    store->probing = true;
    pthread_mutex_unlock(&store->lock);
    qk_status rc = store->journal->ops->commit(store->journal, &cut, &err);
    pthread_mutex_lock(&store->lock);
    store->probing = false;
    if (rc != QK_OK) {
        remember_failure(store, cut.batch, &err);
        (void)database_revive(store);
    } else {
        store->durable_batch = cut.batch;
        store->suspended = false;
        pthread_cond_signal(&store->work);
    }
    wake_all(store);
    return rc;
}
