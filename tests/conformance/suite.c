/*
 * The conformance suite's harness: one cmocka test per (test, opener), a fresh store for each.
 */
#include "suite.h"

#include <stdio.h>
#include <unistd.h>

#include "queue/queue_internal.h"

typedef struct suite_case {
    const suite_opener *opener;
    const suite_test *test;
} suite_case;

static qk_time fake_wall(void *user)
{
    suite *s = user;
    qk_time now = { atomic_load(&s->wall_us) };
    return now;
}

static int64_t fake_monotonic(void *user)
{
    suite *s = user;
    return atomic_load(&s->mono_us);
}

static void keep_log(void *user, const qk_log_record *record)
{
    suite *s = user;
    if (record->level >= QK_LOG_WARN)
        atomic_fetch_add(&s->warnings, 1);
    if (getenv("SUITE_LOG"))
        print_message("log %d: %s\n", (int)record->level, record->message);
}

void suite_open(suite *s)
{
    if (s->opener->begin)
        s->opener->begin(s);
    s->err = (qk_error)QK_ERROR_INIT;
    if (qk_queue_open(&s->queue, s->url, &s->options, &s->err) != QK_OK)
        fail_msg("open %s: %s", s->url, s->err.message);
}

void suite_close(suite *s)
{
    qk_queue_close(s->queue);
    s->queue = NULL;
    if (s->opener->end)
        s->opener->end(s);
}

bool suite_reopen(suite *s)
{
    if (!s->opener->durable)
        return false;
    suite_close(s);
    suite_open(s);
    return true;
}

void suite_fresh(suite *s)
{
    suite_close(s);
    if (s->opener->dispose)
        s->opener->dispose(s);
    s->opener->url(s->url, sizeof(s->url), s);
    suite_open(s);
}

void suite_advance(suite *s, int64_t us)
{
    atomic_fetch_add(&s->mono_us, us);
    atomic_fetch_add(&s->wall_us, us);
}

void suite_jump(suite *s, int64_t us)
{
    atomic_fetch_add(&s->wall_us, us);
}

void suite_check_message(suite *s, qk_status code, const char *call)
{
    if (s->err.code != code)
        fail_msg("%s: err.code is %d", call, (int)s->err.code);
    if (s->err.message[0] == '\0' || strchr(s->err.message, '\n'))
        fail_msg("%s: not one line of text: \"%s\"", call, s->err.message);
}

static void run_case(void **state)
{
    const suite_case *c = *state;
    suite *s = test_calloc(1, sizeof(*s));
    s->opener = c->opener;
    s->options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    s->clock = (qk_clock){ fake_wall, fake_monotonic, s };
    s->options.clock = &s->clock;
    s->options.log = keep_log;
    s->options.log_user = s;
    atomic_store(&s->wall_us, SUITE_EPOCH);
    atomic_store(&s->mono_us, 1000 * SECOND);
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof(s->folder), "%s/suite-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->folder));
    s->opener->url(s->url, sizeof(s->url), s);
    suite_open(s);
    c->test->fn(s);
    suite_close(s);
    if (s->opener->dispose)
        s->opener->dispose(s);
    if (rmdir(s->folder) != 0)
        fail_msg("%s is not empty after close and clean-up", s->folder);
    test_free(s);
}

/* SUITE_OPENER picks one opener, SUITE_TEST_NAME the tests whose name contains it. */
static bool wanted(const suite_opener *opener, const suite_test *test)
{
    const char *only = getenv("SUITE_OPENER"), *part = getenv("SUITE_TEST_NAME");
    return (only ? strcmp(only, opener->name) == 0 : !opener->asked) &&
           (!part || strstr(test->name, part));
}

int suite_run(const char *group, const suite_test *tests, size_t count)
{
    size_t room = count * suite_opener_count, used = 0;
    struct CMUnitTest *all = calloc(room, sizeof(*all));
    suite_case *cases = calloc(room, sizeof(*cases));
    char(*names)[160] = calloc(room, sizeof(*names));
    if (!all || !cases || !names)
        return 1;
    for (size_t o = 0; o < suite_opener_count; o++) {
        for (size_t t = 0; t < count; t++) {
            if (!wanted(&suite_openers[o], &tests[t]))
                continue;
            cases[used] = (suite_case){ &suite_openers[o], &tests[t] };
            snprintf(names[used], sizeof(names[used]), "%s: %s", suite_openers[o].name,
                     tests[t].name);
            all[used].name = names[used];
            all[used].test_func = run_case;
            all[used].initial_state = &cases[used];
            used++;
        }
    }
    int rc = _cmocka_run_group_tests(group, all, used, NULL, NULL);
    free(names);
    free(cases);
    free(all);
    return rc;
}

qk_id suite_enqueue(suite *s, const char *kind, const qk_job_options *options)
{
    qk_id id = { { 0 } };
    good(s, qk_enqueue(&id, s->queue, kind, "{\"n\":1}", options, &s->err));
    assert_false(qk_id_is_none(id));
    return id;
}

qk_id suite_enqueue_in(suite *s, const char *queue)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.queue = queue;
    return suite_enqueue(s, "work", &options);
}

qk_job_options suite_no_backoff(void)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.backoff.base = qk_us(0);
    return options;
}

qk_id suite_child(suite *s, qk_dependency_mode mode, const qk_id *parents, size_t count)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.needs = parents;
    options.needs_count = count;
    options.mode = mode;
    return suite_enqueue(s, "child", &options);
}

qk_claims *suite_claim_from(suite *s, const char *queue)
{
    qk_claims *claims = NULL;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    if (queue) {
        options.queues = &queue;
        options.queue_count = 1;
    }
    s->err = (qk_error)QK_ERROR_INIT;
    qk_status rc = qk_claim(&claims, s->queue, &options, &s->err);
    if (rc == QK_EMPTY) {
        assert_null(claims);
        return NULL;
    }
    if (rc != QK_OK)
        fail_msg("claim: %s", s->err.message);
    assert_int_equal(claims->count, 1);
    return claims;
}

qk_claims *suite_claim(suite *s)
{
    return suite_claim_from(s, NULL);
}

qk_claims *suite_claim_this(suite *s, qk_id id)
{
    qk_claims *claims = suite_claim(s);
    assert_non_null(claims);
    suite_same_id(claims->items[0].lease.job, id);
    return claims;
}

void suite_finish(suite *s, qk_id id)
{
    qk_claims *claims = suite_claim_this(s, id);
    good(s, qk_ack(s->queue, &claims->items[0].lease, NULL, &s->err));
    qk_claims_free(claims);
}

void suite_fail(suite *s, qk_id id)
{
    qk_claims *claims = suite_claim_this(s, id);
    good(s, qk_fail(s->queue, &claims->items[0].lease, "broken", true, &s->err));
    qk_claims_free(claims);
}

void suite_expect_empty(suite *s)
{
    qk_claims *claims = suite_claim(s);
    if (claims) {
        char text[QK_ID_TEXT_SIZE];
        fail_msg("job %s could be claimed", qk_id_format(text, claims->items[0].lease.job));
    }
}

qk_job *suite_get(suite *s, qk_id id)
{
    qk_job *job = NULL;
    good(s, qk_job_get(&job, s->queue, id, &s->err));
    suite_same_id(job->id, id);
    return job;
}

qk_job_status suite_status(suite *s, qk_id id)
{
    qk_job *job = suite_get(s, id);
    qk_job_status status = job->status;
    qk_job_free(job);
    return status;
}

void suite_same_id(qk_id a, qk_id b)
{
    char x[QK_ID_TEXT_SIZE], y[QK_ID_TEXT_SIZE];
    assert_string_equal(qk_id_format(x, a), qk_id_format(y, b));
}

int64_t suite_sql_number(suite *s, const char *sql)
{
    qk_rows *rows = NULL;
    good(s, qk_rows_open(&rows, s->queue, sql, qk_us(0), &s->err));
    good(s, qk_rows_next(rows, &s->err));
    const char *text = qk_rows_text(rows, 0);
    int64_t number = text ? strtoll(text, NULL, 10) : INT64_MIN;
    qk_rows_close(rows);
    return number;
}

uint64_t suite_count(suite *s, const char *queue, qk_job_status status)
{
    qk_stats *stats = NULL;
    uint64_t count = 0;
    good(s, qk_stats_get(&stats, s->queue, &s->err));
    for (size_t i = 0; i < stats->count; i++) {
        if (strcmp(stats->queues[i].name, queue) == 0)
            count = stats->queues[i].counts[status];
    }
    qk_stats_free(stats);
    return count;
}

qk_store *suite_store(suite *s)
{
    return qk__queue_store(s->queue);
}
