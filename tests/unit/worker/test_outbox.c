/*
 * The outbox (src/worker/outbox.c) over a scripted store whose commits fail when told to: what no
 * real disk does on demand. Nothing reported may be dropped, nothing may be counted twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/error.h"
#include "worker/worker_internal.h"

#define JOBS 1000

typedef struct script {
    qk_store base;
    pthread_mutex_t lock;
    int fail_flushes, fail_completes; /* the next so many */
    int silent_failures; /* flushes that succeed after a commit nobody waited for had failed */
    bool applied[JOBS], durable[JOBS];
    int told[JOBS], flushes, extends;
    uint64_t commit_failures;
} script;

static size_t number_of(const qk_lease *lease)
{
    return (size_t)lease->attempt;
}

static void forget(script *s)
{
    s->commit_failures++;
    for (size_t i = 0; i < JOBS; i++)
        s->applied[i] = s->durable[i];
}

static qk_status complete(qk_store *store, qk_status *statuses, const qk_outcome *outcomes,
                          size_t count, bool wait, qk_error *err)
{
    script *s = (script *)store;
    qk_status rc = QK_OK;

    assert_false(wait);
    pthread_mutex_lock(&s->lock);
    if (s->fail_completes > 0) {
        s->fail_completes--;
        rc = qk__error(err, QK_EFULL, "no space");
    }
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        size_t job = number_of(&outcomes[i].lease);
        assert_true(job < JOBS);
        assert_string_equal(outcomes[i].result, "{}"); /* still owned */
        s->applied[job] = true;
        s->told[job]++;
        statuses[i] = QK_OK;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static qk_status flush(qk_store *store, qk_error *err)
{
    script *s = (script *)store;
    qk_status rc = QK_OK;

    pthread_mutex_lock(&s->lock);
    s->flushes++;
    if (s->fail_flushes > 0) {
        s->fail_flushes--;
        forget(s);
        rc = qk__error(err, QK_EFULL, "no space");
    } else if (s->silent_failures > 0) {
        s->silent_failures--;
        forget(s);
    } else {
        memcpy(s->durable, s->applied, sizeof(s->durable));
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static qk_status extend(qk_store *store, qk_status *statuses, const qk_lease *leases, size_t count,
                        int64_t extend_us, qk_error *err)
{
    script *s = (script *)store;

    (void)leases;
    (void)extend_us;
    (void)err;
    pthread_mutex_lock(&s->lock);
    s->extends += (int)count;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < count; i++)
        statuses[i] = QK_OK;
    return QK_OK;
}

static void counters(qk_store *store, qk_counters *out)
{
    script *s = (script *)store;

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&s->lock);
    out->commit_failures = s->commit_failures;
    pthread_mutex_unlock(&s->lock);
}

static const struct qk_store_ops ops = {
    .complete = complete, .flush = flush, .extend = extend, .counters = counters
};

/* Reports JOBS outcomes in uneven pieces, ends the reporter, checks that all are durable. */
static void report_all(script *s)
{
    static const qk__log silent;
    qk_worker *pool = calloc(1, sizeof(*pool));
    qk__report *report = calloc(1, sizeof(*report));

    assert_true(pool && report);
    s->base.ops = &ops;
    pthread_mutex_init(&s->lock, NULL);
    pool->store = &s->base;
    pool->log = &silent;
    strcpy(pool->id, "test");
    assert_int_equal(qk__outbox_init(&pool->outbox), QK_OK);
    assert_int_equal(pthread_create(&pool->outbox.thread, NULL, qk__outbox_main, pool), 0);
    for (int32_t job = 0; job < JOBS; job++) {
        qk_outcome *outcome = &report->outcomes[report->count];
        *outcome = (qk_outcome){ .verdict = QK_VERDICT_ACK, .result = strdup("{}") };
        outcome->lease.attempt = job;
        report->notes[report->count++] = 0;
        if (report->count > (size_t)(job % 97))
            qk__outbox_put(pool, report);
    }
    qk__outbox_put(pool, report);
    qk__outbox_finish(&pool->outbox, false);
    pthread_join(pool->outbox.thread, NULL);
    assert_int_equal(pool->outbox.left, 0);
    assert_int_equal(atomic_load(&pool->done), JOBS);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(s->durable[i]);
    qk__outbox_dispose(&pool->outbox);
    pthread_mutex_destroy(&s->lock);
    free(report);
    free(pool);
}

static void test_report__good_disk_tells_each_once(void **state)
{
    (void)state;
    script s = { 0 };

    report_all(&s);
    for (size_t i = 0; i < JOBS; i++)
        assert_int_equal(s.told[i], 1);
    assert_int_equal(s.extends, 0);
}

static void test_report__failed_flushes_are_made_up_for(void **state)
{
    (void)state;
    script s = { .fail_flushes = 3 };

    report_all(&s);
    assert_true(s.extends > 0); /* leases that came back are kept */
}

static void test_report__refused_reports_are_made_up_for(void **state)
{
    (void)state;
    script s = { .fail_completes = 5 };

    report_all(&s);
}

static void test_report__a_commit_that_failed_unseen_is_noticed(void **state)
{
    (void)state;
    script s = { .silent_failures = 2 };

    report_all(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__good_disk_tells_each_once),
        cmocka_unit_test(test_report__failed_flushes_are_made_up_for),
        cmocka_unit_test(test_report__refused_reports_are_made_up_for),
        cmocka_unit_test(test_report__a_commit_that_failed_unseen_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
