/*
 * A store under test for runs, driven by hand: one "worker" that claims the node it is told to. Each
 * test runs on every durable opener of openers.c, those that others only run when asked too, on the machine's clock; RUNS_MAIN sees to that.
 */
#ifndef TESTS_CONFORMANCE_RUN_FIXTURE_H
#define TESTS_CONFORMANCE_RUN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <queuack/queue.h>
#include <queuack/run.h>

#include "queue/queue_internal.h"
#include "store/store.h"
#include "suite.h"

#define NODE_PARENTS 4

struct runs {
    suite suite; /* what openers know of a test */
    bool begun;
    char path[512];
    qk_queue *queue;
    qk_store *store;
    qk_id reuse; /* id of the next submission; none: a new one */
    bool duplicate;
};

struct node {
    const char *name;
    const char *after[NODE_PARENTS];
    qk_dependency_mode mode;
    bool dag, continues;
    int64_t timeout_us; /* 0: none */
};

/* The opener of the group that runs. */
static const suite_opener *runs_opener;

/* After qk_queue_close, too: what the opener has begun, an owner say, goes on. */
static inline void runs_open(struct runs *f)
{
    qk_error err = QK_ERROR_INIT;
    if (!f->begun && runs_opener->begin)
        runs_opener->begin(&f->suite);
    f->begun = true;
    if (qk_queue_open(&f->queue, f->path, &f->suite.options, &err))
        fail_msg("%s", err.message);
    f->store = qk__queue_store(f->queue);
}

static inline void runs_close(struct runs *f)
{
    qk_queue_close(f->queue);
    f->queue = NULL;
    if (f->begun && runs_opener->end)
        runs_opener->end(&f->suite);
    f->begun = false;
}

static inline int runs_setup(void **state)
{
    static int number;
    struct runs *f = calloc(1, sizeof(*f));
    const char *folder = getenv("TMPDIR");
    assert_non_null(f);
    snprintf(f->path, sizeof(f->path), "%s/runs-%d-%d.duckdb", folder ? folder : "/tmp",
             (int)getpid(), number++);
    f->suite.opener = runs_opener;
    f->suite.options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    snprintf(f->suite.url, sizeof(f->suite.url), "%s", f->path);
    runs_open(f);
    *state = f;
    return 0;
}

static inline int runs_teardown(void **state)
{
    struct runs *f = *state;
    runs_close(f);
    if (runs_opener->dispose)
        runs_opener->dispose(&f->suite);
    free(f);
    return 0;
}

/* Under a sanitizer those that are only run when asked are left out: calls hardly get through between
 * two owners there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RUNS_UNASKED(opener) (!(opener)->asked)
#else
#define RUNS_UNASKED(opener) true
#endif

static inline int runs_main(const struct CMUnitTest *tests, size_t count)
{
    const char *only = getenv("SUITE_OPENER");
    int failed = 0;
    for (size_t i = 0; i < suite_opener_count; i++) {
        runs_opener = &suite_openers[i];
        if (runs_opener->durable &&
            (only ? strcmp(only, runs_opener->name) == 0 : RUNS_UNASKED(runs_opener)))
            failed += _cmocka_run_group_tests(runs_opener->name, tests, count, NULL, NULL);
    }
    return failed;
}

/* What main returns. */
#define RUNS_MAIN(tests) runs_main(tests, sizeof(tests) / sizeof(*(tests)))
#define RUNS_TEST(function) cmocka_unit_test_setup_teardown(function, runs_setup, runs_teardown)

static inline void reopen(struct runs *f)
{
    runs_close(f);
    runs_open(f);
}

static inline void fill_jobs(qk__new_job *jobs, qk_id (*needs)[NODE_PARENTS],
                             const struct node *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jobs[i] =
            (qk__new_job){ .id = qk_id_new(),
                           .ignore_backpressure = true,
                           .continue_on_failure = nodes[i].continues,
                           .priority = 50,
                           .mode = (uint8_t)nodes[i].mode,
                           .max_attempts = 1,
                           .max_lost = 3,
                           .timeout_us = nodes[i].timeout_us ? nodes[i].timeout_us : INT64_MAX,
                           .backoff_factor = 2,
                           .kind = nodes[i].dag ? "dag" : "task",
                           .queue = "default",
                           .payload = "null",
                           .payload_length = 4,
                           .node = nodes[i].name,
                           .needs = needs[i] };
        for (size_t k = 0; k < NODE_PARENTS && nodes[i].after[k]; k++) {
            for (size_t j = 0; j < i; j++) {
                if (strcmp(nodes[j].name, nodes[i].after[k]) == 0)
                    needs[i][jobs[i].needs_count++] = jobs[j].id;
            }
        }
    }
}

static inline qk_id submit(struct runs *f, const char *name, const struct node *nodes, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_enqueued out;
    qk__new_job jobs[64];
    qk_id needs[64][NODE_PARENTS];
    bool given = !qk_id_is_none(f->reuse);
    qk__new_run run = { .id = given ? f->reuse : qk_id_new(),
                        .id_given = given,
                        .name = name,
                        .definition = "{\"name\":\"d\"}",
                        .definition_length = 12 };
    fill_jobs(jobs, needs, nodes, count);
    if (f->store->ops->submit_run(f->store, &out, &run, jobs, count, &err))
        fail_msg("%s", err.message);
    f->duplicate = out.duplicate;
    return out.id;
}

static inline char *answer(struct runs *f, const char *sql)
{
    qk_rows *rows = NULL;
    qk_error err = QK_ERROR_INIT;
    qk_status rc;
    size_t size = 1 << 16, used = 0;
    char *text = calloc(1, size);
    assert_non_null(text);
    if (qk_rows_open(&rows, f->queue, sql, qk_seconds(30), &err))
        fail_msg("%s: %s", sql, err.message);
    while ((rc = qk_rows_next(rows, &err)) == QK_OK) {
        for (size_t i = 0; i < qk_rows_column_count(rows); i++) {
            const char *value = qk_rows_text(rows, i);
            used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "|" : "",
                                     value ? value : "NULL");
        }
        used += (size_t)snprintf(text + used, size - used, "\n");
    }
    assert_int_equal(rc, QK_EMPTY);
    qk_rows_close(rows);
    return text;
}

static inline void assert_answer(struct runs *f, const char *sql, const char *expected)
{
    char *text = answer(f, sql);
    assert_string_equal(text, expected);
    free(text);
}

/* name|status|total|done|pending|failed */
static inline void assert_text(struct runs *f, qk_id run, const char *expected)
{
    char sql[512], line[256], id[QK_ID_TEXT_SIZE];
    snprintf(sql, sizeof(sql),
             "SELECT dag_name, dag_status, total_jobs, completed_jobs, pending_jobs, failed_jobs "
             "FROM dag_run_stats WHERE dag_run_id = '%s'",
             qk_id_format(id, run));
    snprintf(line, sizeof(line), "%s\n", expected);
    assert_answer(f, sql, line);
}

/* Claims exactly the node of that name; others that come first are given back. */
static inline qk_claims *take(struct runs *f, const char *name)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.max = 100;
    options.worker_id = "w";
    if (qk_claim_batch(&claims, f->queue, &options, &err))
        fail_msg("%s cannot be claimed: %s", name, err.message);
    size_t found = claims->count;
    for (size_t i = 0; i < claims->count; i++) {
        qk_job *job = NULL;
        assert_int_equal(qk_job_get(&job, f->queue, claims->items[i].lease.job, &err), QK_OK);
        if (strcmp(job->node_name, name) == 0)
            found = i;
        else
            assert_int_equal(qk_nack(f->queue, &claims->items[i].lease, qk_us(0), true, &err),
                             QK_OK);
        qk_job_free(job);
    }
    if (found == claims->count)
        fail_msg("%s is not to be had", name);
    claims->items[0] = claims->items[found];
    return claims;
}

static inline void work(struct runs *f, const char *name, qk_verdict verdict, const char *result)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = take(f, name);
    qk_outcome outcome = { .lease = claims->items[0].lease,
                           .verdict = verdict,
                           .result = result,
                           .error = verdict == QK_VERDICT_FAIL ? "no" : NULL,
                           .permanent = true };
    assert_int_equal(qk_complete_batch(f->queue, NULL, &outcome, 1, &err), QK_OK);
    qk_claims_free(claims);
}

static inline qk_id expand(struct runs *f, const char *name, const char *child_name,
                           const struct node *nodes, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_id child, again;
    qk__new_job jobs[64];
    qk_id needs[64][NODE_PARENTS];
    qk__new_run run = { .id = qk_id_new(), .name = child_name };
    qk_claims *claims = take(f, name);
    fill_jobs(jobs, needs, nodes, count);
    if (f->store->ops->expand(f->store, &child, &claims->items[0].lease, &run, jobs, count, &err))
        fail_msg("%s", err.message);
    assert_int_equal(
        f->store->ops->expand(f->store, &again, &claims->items[0].lease, NULL, NULL, 0, &err),
        QK_OK);
    assert_true(qk_id_compare(child, again) == 0);
    qk_claims_free(claims);
    return child;
}

#endif
