/*
 * Worker pools with C handlers, on the real store.
 */
#include "conformance/worker_fixture.h"

#include <sched.h>
#include <signal.h>

static qk_status answer(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, "{\"answer\": 42}", err);
}

static void test_handler__result_is_stored(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "ask", "{}", NULL);
    qk_worker *worker = open_worker(f, 2, true);

    handle(worker, "ask", answer, NULL);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_DONE);
    assert_string_equal(job->result, "{\"answer\": 42}");
    assert_string_equal(job->claimed_by, qk_worker_id(worker));
    assert_int_equal(stats_of(worker).done, 1);
    assert_int_equal(stats_of(worker).slots, 2);
    qk_job_free(job);
    qk_worker_close(worker);
}

static qk_status refuse(qk_task *task, void *user, qk_error *err)
{
    if (user)
        qk_task_permanent(task);
    snprintf(err->message, sizeof(err->message), "no, for the %dth time",
             (int)qk_task_attempt(task));
    return QK_EIO;
}

static void test_handler__failure_uses_up_the_attempts(void **state)
{
    fixture *f = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 1, true);

    options.backoff.base = qk_us(0);
    options.max_attempts = 3;
    qk_id id = enqueue(f, "try", NULL, &options);
    handle(worker, "try", refuse, NULL);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_int_equal(job->attempts, 3);
    assert_string_equal(job->error, "no, for the 3th time");
    assert_int_equal(stats_of(worker).retried, 2);
    assert_int_equal(stats_of(worker).failed, 1);
    assert_int_equal(stats_of(worker).done, 0);
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_handler__permanent_failure_is_final(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "try", NULL, NULL);
    qk_worker *worker = open_worker(f, 1, true);

    handle(worker, "try", refuse, f);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_int_equal(job->attempts, 1);
    assert_int_equal(stats_of(worker).failed, 1);
    assert_int_equal(stats_of(worker).retried, 0);
    qk_job_free(job);
    qk_worker_close(worker);
}

static qk_status fail_silently(qk_task *task, void *user, qk_error *err)
{
    (void)task;
    (void)user;
    (void)err;
    return QK_ENOTFOUND;
}

static void test_handler__failure_without_words_has_the_statuss_text(void **state)
{
    fixture *f = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 1, true);

    options.max_attempts = 1;
    qk_id id = enqueue(f, "try", NULL, &options);
    handle(worker, "try", fail_silently, NULL);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_string_equal(job->error, qk_status_text(QK_ENOTFOUND));
    qk_job_free(job);
    qk_worker_close(worker);
}

static qk_status bad_results(qk_task *task, void *user, qk_error *err)
{
    static char large[5 << 20];

    (void)user;
    assert_int_equal(qk_task_result(task, "{\"a\": ", err), QK_EINVAL);
    assert_int_equal(qk_task_result(task, "", err), QK_EINVAL);
    memset(large, '1', sizeof(large) - 1);
    assert_int_equal(qk_task_result(task, large, err), QK_ETOOLARGE);
    assert_int_equal(qk_task_result(task, "1", err), QK_OK);
    assert_int_equal(qk_task_result(task, NULL, err), QK_OK);
    return qk_task_result(task, "[true]", err);
}

static void test_result__must_be_json_within_the_limit(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "k", NULL, NULL);
    qk_worker *worker = open_worker(f, 1, true);

    handle(worker, "k", bad_results, NULL);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_DONE);
    assert_string_equal(job->result, "[true]");
    qk_job_free(job);
    qk_worker_close(worker);
}

typedef struct seen {
    fixture *f;
    qk_id id;
    bool right;
} seen;

static qk_status look_around(qk_task *task, void *user, qk_error *err)
{
    seen *seen = user;
    const qk_claimed *claim = qk_task_claim(task);
    qk_id id = qk_task_job_id(task);

    (void)err;
    seen->right = qk_task_current() == task && qk_id_compare(id, seen->id) == 0 &&
                  qk_task_attempt(task) == 1 && strcmp(qk_task_payload(task), "{\"w\":80}") == 0 &&
                  qk_task_queue(task) == seen->f->queue && strcmp(claim->kind, "look") == 0 &&
                  claim->attempts == 1 && !qk_task_cancelled(task);
    return QK_OK;
}

static void test_task__knows_its_job(void **state)
{
    fixture *f = *state;
    seen seen = { .f = f, .id = enqueue(f, "look", "{\"w\":80}", NULL) };
    qk_worker *worker = open_worker(f, 1, true);

    handle(worker, "look", look_around, &seen);
    assert_null(qk_task_current());
    run(worker);
    assert_null(qk_task_current());
    assert_true(seen.right);
    qk_worker_close(worker);
}

static qk_status say_half(qk_task *task, void *user, qk_error *err)
{
    assert_int_equal(qk_task_progress(task, 1.5, NULL, err), QK_EINVAL);
    assert_int_equal(qk_task_progress(task, 0.0 / 0.0, NULL, err), QK_EINVAL);
    assert_int_equal(qk_task_progress(task, 0.25, "a quarter", err), QK_OK);
    assert_int_equal(qk_task_progress(task, 0.5, "half \xFF", err), QK_OK);
    return stubborn(task, user, err);
}

/* Looks until the job's progress is as expected. */
static void await_progress(fixture *f, qk_id id, double expected)
{
    double before = seconds();
    qk_job *job = job_of(f, id);

    while (job->progress != expected && seconds() - before < PATIENCE_S) {
        qk_job_free(job);
        sched_yield();
        job = job_of(f, id);
    }
    assert_true(job->progress == expected);
    assert_string_equal(job->progress_message, "half ?");
    qk_job_free(job);
}

static void test_progress__is_seen_while_the_job_runs(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "long", NULL, NULL);
    qk_worker *worker = open_worker(f, 1, true);

    handle(worker, "long", say_half, f);
    start(worker);
    await(&f->arrived);
    await_progress(f, id, 0.5);
    sem_post(&f->open);
    run(worker);
    assert_status(f, id, QK_JOB_DONE);
    qk_worker_close(worker);
}

static void test_timeout__fails_the_attempt_at_once(void **state)
{
    fixture *f = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 1, true);

    options.max_attempts = 1;
    options.timeout = qk_ms(250);
    qk_id id = enqueue(f, "slow", NULL, &options);
    handle(worker, "slow", stubborn, f);
    start(worker);
    await(&f->arrived);
    double before = seconds();
    qk_job *job = wait_for(f, id); /* although the handler goes on */
    assert_true(seconds() - before < 2);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_string_equal(job->error, "timeout after 0.25 s");
    assert_int_equal(stats_of(worker).overdue, 1);
    assert_int_equal(stats_of(worker).running, 1);
    qk_job_free(job);
    sem_post(&f->open);
    run(worker);
    assert_status(f, id, QK_JOB_FAILED);
    assert_int_equal(stats_of(worker).done, 0);
    assert_int_equal(stats_of(worker).failed, 1);
    assert_int_equal(stats_of(worker).overdue, 0);
    qk_worker_close(worker);
}

static void test_timeout__runs_on_the_handles_clock(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_worker_options pool = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;

    pool.lease = qk_seconds(100000);
    pool.concurrency = 1;
    check(qk_worker_open(&worker, f->queue, &pool, &err), &err);
    options.max_attempts = 1;
    qk_id id = enqueue(f, "slow", NULL, &options);
    handle(worker, "slow", patient, f);
    start(worker);
    await(&f->arrived);
    atomic_fetch_add(&f->clock_us, 301 * 1000000ll);
    qk_job *job = wait_for(f, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_string_equal(job->error, "timeout after 300 s");
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_lease__lost_tells_the_handler_and_runs_it_again(void **state)
{
    fixture *f = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 1, false);

    options.timeout = qk_forever();
    qk_id id = enqueue(f, "slow", NULL, &options);
    handle(worker, "slow", patient, f);
    start(worker);
    await(&f->arrived);
    atomic_fetch_add(&f->clock_us, 3600 * 1000000ll); /* nobody could renew in time */
    await(&f->arrived); /* the second attempt */
    assert_int_equal(stats_of(worker).lost, 1);
    assert_int_equal(stats_of(worker).failed + stats_of(worker).retried, 0);
    qk_worker_stop(worker, true);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_PENDING);
    assert_int_equal(job->attempts, 0); /* neither the loss nor the hand-back cost one */
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_cancel__reaches_the_handler(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_id id = enqueue(f, "slow", NULL, NULL);
    qk_worker *worker = open_worker(f, 2, true);

    handle(worker, "slow", patient, f);
    start(worker);
    await(&f->arrived);
    double before = seconds();
    check(qk_cancel(f->queue, id, &err), &err);
    run(worker); /* ends only when the handler does */
    assert_true(seconds() - before < 2);
    assert_status(f, id, QK_JOB_CANCELLED);
    assert_int_equal(stats_of(worker).lost, 1);
    qk_worker_close(worker);
}

static void test_drain__waits_for_delayed_jobs_and_retries(void **state)
{
    fixture *f = *state;
    qk_job_options late = QK_JOB_OPTIONS_INIT, again = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 3, true);

    late.delay = qk_ms(300);
    again.max_attempts = 2;
    again.backoff.base = qk_ms(200);
    qk_id delayed = enqueue(f, "k", NULL, &late);
    qk_id retried = enqueue(f, "try", NULL, &again);
    handle(worker, "k", nothing, NULL);
    handle(worker, "try", refuse, NULL);
    run(worker);
    assert_status(f, delayed, QK_JOB_DONE);
    assert_status(f, retried, QK_JOB_FAILED);
    qk_worker_close(worker);
}

static void test_drain__of_nothing_ends(void **state)
{
    fixture *f = *state;
    qk_worker *worker = open_worker(f, 8, true);

    handle(worker, "k", nothing, NULL);
    run(worker);
    assert_int_equal(stats_of(worker).done, 0);
    qk_worker_close(worker);
}

static void test_drain__leaves_other_kinds_and_queues(void **state)
{
    fixture *f = *state;
    qk_job_options elsewhere = QK_JOB_OPTIONS_INIT;
    qk_worker *worker = open_worker(f, 2, true);

    elsewhere.queue = "elsewhere";
    qk_id other = enqueue(f, "other", NULL, NULL);
    qk_id away = enqueue(f, "k", NULL, &elsewhere);
    qk_id mine = enqueue(f, "k", NULL, NULL);
    handle(worker, "k", nothing, NULL);
    run(worker);
    assert_status(f, mine, QK_JOB_DONE);
    assert_status(f, other, QK_JOB_PENDING);
    assert_status(f, away, QK_JOB_PENDING);
    qk_worker_close(worker);
}

/* A blocked slot with more claimed than it can run: fast jobs teach the pool to claim many. */
static qk_worker *block_with_hoard(fixture *f, qk_enqueued *behind, size_t count)
{
    qk_worker *worker = open_worker(f, 1, false);
    qk_job_options first = QK_JOB_OPTIONS_INIT;
    qk_enqueued *fast = calloc(2000, sizeof(*fast));

    assert_non_null(fast);
    handle(worker, "fast", nothing, NULL);
    handle(worker, "slow", stubborn, f);
    enqueue_many(f, fast, "fast", 2000);
    start(worker);
    qk_job_free(wait_for(f, fast[1999].id));
    free(fast);
    first.priority = 90;
    qk_error err = QK_ERROR_INIT;
    qk_job_spec *specs = calloc(count + 1, sizeof(*specs));
    assert_non_null(specs);
    specs[0] = (qk_job_spec){ .kind = "slow", .options = &first };
    for (size_t i = 1; i <= count; i++)
        specs[i].kind = "fast";
    check(qk_enqueue_batch(behind, f->queue, specs, count + 1, &err), &err);
    free(specs);
    await(&f->arrived);
    return worker;
}

static void test_slow_job__does_not_keep_others_from_other_workers(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_enqueued behind[101];
    size_t got = 0;
    qk_worker *worker = block_with_hoard(f, behind, 100);

    options.max = 100;
    options.wait = qk_seconds(PATIENCE_S);
    while (got < 100) {
        qk_claims *claims = NULL;
        check(qk_claim_batch(&claims, f->queue, &options, &err), &err);
        for (size_t i = 0; i < claims->count; i++) {
            assert_int_equal(claims->items[i].attempts, 1);
            check(qk_ack(f->queue, &claims->items[i].lease, NULL, &err), &err);
        }
        got += claims->count;
        qk_claims_free(claims);
    }
    sem_post(&f->open);
    qk_job *job = wait_for(f, behind[0].id);
    assert_int_equal(job->status, QK_JOB_DONE);
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_stop__hands_back_what_was_not_started(void **state)
{
    fixture *f = *state;
    qk_enqueued behind[101];
    qk_worker *worker = block_with_hoard(f, behind, 100);

    qk_worker_stop(worker, false);
    sem_post(&f->open);
    run(worker);
    assert_status(f, behind[0].id, QK_JOB_DONE); /* what runs may finish */
    for (int i = 1; i <= 100; i++) {
        qk_job *job = job_of(f, behind[i].id);
        assert_int_equal(job->status, QK_JOB_PENDING);
        assert_int_equal(job->attempts, 0);
        qk_job_free(job);
    }
    qk_worker_close(worker);
}

static void test_stop__hard_cancels_and_hands_back(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "slow", NULL, NULL);
    qk_worker *worker = open_worker(f, 2, false);

    handle(worker, "slow", patient, f);
    start(worker);
    await(&f->arrived);
    qk_worker_stop(worker, true);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_PENDING);
    assert_int_equal(job->attempts, 0);
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_stop__before_the_start_runs_nothing(void **state)
{
    fixture *f = *state;
    qk_id id = enqueue(f, "k", NULL, NULL);
    qk_worker *worker = open_worker(f, 2, false);

    handle(worker, "k", nothing, NULL);
    qk_worker_stop(worker, false);
    run(worker);
    assert_status(f, id, QK_JOB_PENDING);
    qk_worker_close(worker);
}

static void test_close__ends_an_idle_pool_at_once(void **state)
{
    fixture *f = *state;
    qk_worker *worker = open_worker(f, 16, false);

    handle(worker, "k", nothing, NULL);
    start(worker);
    qk_job *job = wait_for(f, enqueue(f, "k", NULL, NULL));
    qk_job_free(job);
    double before = seconds();
    qk_worker_close(worker);
    assert_true(seconds() - before < 5);
    qk_worker_close(NULL);
}

static void *run_in_thread(void *worker)
{
    return (void *)(intptr_t)qk_worker_run(worker, NULL);
}

static void test_close__waits_for_a_run(void **state)
{
    fixture *f = *state;
    qk_worker *worker = open_worker(f, 2, false);
    pthread_t thread;
    void *rc;

    qk_id id = enqueue(f, "slow", NULL, NULL);
    handle(worker, "slow", stubborn, f);
    pthread_create(&thread, NULL, run_in_thread, worker);
    await(&f->arrived);
    sem_post(&f->open);
    qk_worker_close(worker);
    pthread_join(thread, &rc);
    assert_int_equal((intptr_t)rc, QK_OK);
    assert_status(f, id, QK_JOB_DONE);
}

static void test_open__refuses_bad_options(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;
    qk_worker_options zero = { 0 }, negative = QK_WORKER_OPTIONS_INIT,
                      nameless = QK_WORKER_OPTIONS_INIT, brief = QK_WORKER_OPTIONS_INIT;
    const char *const queues[] = { "" };

    negative.concurrency = -1;
    nameless.queues = queues;
    nameless.queue_count = 1;
    brief.lease = qk_us(1);
    assert_int_equal(qk_worker_open(&worker, f->queue, &zero, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "QK_WORKER_OPTIONS_INIT"));
    assert_int_equal(qk_worker_open(&worker, f->queue, &negative, &err), QK_EINVAL);
    assert_int_equal(qk_worker_open(&worker, f->queue, &nameless, &err), QK_EINVAL);
    assert_int_equal(qk_worker_open(&worker, f->queue, &brief, &err), QK_EINVAL);
    assert_int_equal(qk_worker_open(&worker, NULL, NULL, &err), QK_EINVAL);
    assert_null(worker);
}

static void test_start__without_anything_to_run_is_refused(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;

    options.no_commands = true;
    check(qk_worker_open(&worker, f->queue, &options, &err), &err);
    assert_int_equal(qk_worker_start(worker, &err), QK_EINVAL);
    assert_int_equal(qk_worker_run(worker, &err), QK_EINVAL);
    handle(worker, "command", nothing, NULL); /* its own, then */
    start(worker);
    assert_int_equal(qk_worker_start(worker, &err), QK_ESTATE);
    qk_worker_close(worker);
}

static void test_handle__once_per_kind_and_before_the_start(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = open_worker(f, 1, false);

    handle(worker, "k", nothing, NULL);
    assert_int_equal(qk_worker_handle(worker, "k", nothing, NULL, &err), QK_ECONFLICT);
    assert_int_equal(qk_worker_handle(worker, "command", nothing, NULL, &err), QK_ECONFLICT);
    assert_int_equal(qk_worker_handle(worker, "", nothing, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_worker_handle(worker, NULL, nothing, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_worker_handle(worker, "j", NULL, NULL, &err), QK_EINVAL);
    start(worker);
    assert_int_equal(qk_worker_handle(worker, "j", nothing, NULL, &err), QK_ESTATE);
    qk_worker_close(worker);
}

static _Atomic int foreign_signals;

static void foreign_handler(int number)
{
    (void)number;
    atomic_fetch_add(&foreign_signals, 1);
}

static void *signal_when_there(void *user)
{
    fixture *f = user;

    await(&f->arrived);
    kill(getpid(), SIGTERM);
    return NULL;
}

static qk_status until_told(qk_task *task, void *user, qk_error *err)
{
    qk_status rc = patient(task, user, err);

    sem_post(&((fixture *)user)->open);
    return rc;
}

static qk_worker *signalled;

/* Signals once when the job runs and once more; the second cancels it, a third would end us. */
static void *signal_twice(void *user)
{
    qk_worker_health health = { 0 };
    signal_when_there(user);
    /* Not before the first one was seen: two at once are one. */
    while (!health.stopping) {
        sched_yield();
        qk_worker_health_get(&health, signalled);
    }
    kill(getpid(), SIGTERM);
    while (sem_wait(&((fixture *)user)->open) != 0) {
    }
    return NULL;
}

static void test_signals__stop_gracefully_then_hard_and_are_restored(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    struct sigaction before = { .sa_handler = foreign_handler }, after;
    qk_worker *worker = NULL;
    pthread_t thread;

    sigaction(SIGTERM, &before, NULL);
    options.concurrency = 1;
    options.handle_signals = true;
    qk_id id = enqueue(f, "slow", NULL, NULL);
    check(qk_worker_open(&worker, f->queue, &options, &err), &err);
    handle(worker, "slow", until_told, f);
    signalled = worker;
    pthread_create(&thread, NULL, signal_twice, f);
    assert_int_equal(qk_worker_run(worker, &err), QK_EINTERRUPTED);
    pthread_join(thread, NULL);
    assert_status(f, id, QK_JOB_PENDING);
    sigaction(SIGTERM, NULL, &after);
    assert_ptr_equal(after.sa_handler, foreign_handler);
    qk_worker_close(worker);
}

static void test_signals__one_lets_running_jobs_finish(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;
    pthread_t thread;

    options.concurrency = 1;
    options.handle_signals = true;
    qk_id id = enqueue(f, "slow", NULL, NULL);
    check(qk_worker_open(&worker, f->queue, &options, &err), &err);
    handle(worker, "slow", stubborn, f);
    sem_post(&f->open); /* it may pass when it comes */
    pthread_create(&thread, NULL, signal_when_there, f);
    check(qk_worker_run(worker, &err), &err);
    pthread_join(thread, NULL);
    assert_status(f, id, QK_JOB_DONE);
    qk_worker_close(worker);
}

static qk_status count_run(qk_task *task, void *user, qk_error *err)
{
    (void)err;
    atomic_fetch_add(&((atomic_uchar *)user)[atoi(qk_task_payload(task))], 1);
    return QK_OK;
}

static void test_many__each_runs_exactly_once(void **state)
{
    fixture *f = *state;
    enum { COUNT = 20000 };
    qk_error err = QK_ERROR_INIT;
    atomic_uchar *runs = calloc(COUNT, sizeof(*runs));
    qk_job_spec *specs = calloc(COUNT, sizeof(*specs));
    char(*payloads)[16] = calloc(COUNT, sizeof(*payloads));

    assert_true(runs && specs && payloads);
    for (int i = 0; i < COUNT; i++) {
        snprintf(payloads[i], sizeof(payloads[i]), "%d", i);
        specs[i] = (qk_job_spec){ .kind = "count", .payload = payloads[i] };
    }
    check(qk_enqueue_batch(NULL, f->queue, specs, COUNT, &err), &err);
    qk_worker *worker = open_worker(f, 4, true);
    handle(worker, "count", count_run, runs);
    run(worker);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(runs[i], 1);
    assert_int_equal(stats_of(worker).done, COUNT);
    assert_int_equal(stats_of(worker).lost, 0);
    qk_worker_close(worker);
    free(runs);
    free(specs);
    free(payloads);
}

static void test_run__is_durable_when_it_returns(void **state)
{
    fixture *f = *state;
    enum { COUNT = 3000 };
    qk_enqueued *ids = calloc(COUNT, sizeof(*ids));
    qk_worker *worker = open_worker(f, 2, true);

    assert_non_null(ids);
    enqueue_many(f, ids, "k", COUNT);
    handle(worker, "k", nothing, NULL);
    run(worker);
    qk_worker_close(worker);
    qk_queue_close(f->queue);
    fixture_open(f, NULL);
    for (int i = 0; i < COUNT; i += 100)
        assert_status(f, ids[i].id, QK_JOB_DONE);
    free(ids);
}

static void test_own_pool__belongs_to_the_handle(void **state)
{
    fixture *f = *state;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_id id;

    assert_null(qk_queue_worker(f->queue));
    qk_queue_close(f->queue);
    options.workers_num = 3;
    fixture_open(f, &options);
    qk_worker *worker = qk_queue_worker(f->queue);
    assert_non_null(worker);
    assert_ptr_equal(worker, qk_queue_worker(f->queue));
    assert_int_equal(stats_of(worker).slots, 3);
    handle(worker, "k", nothing, NULL);
    start(worker);
    id = enqueue(f, "k", NULL, NULL);
    qk_job *job = wait_for(f, id);
    assert_int_equal(job->status, QK_JOB_DONE);
    qk_job_free(job);
    /* tear_down closes the queue, and that the pool. */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CLOCK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_clock, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_handler__result_is_stored),
        TEST(test_handler__failure_uses_up_the_attempts),
        TEST(test_handler__permanent_failure_is_final),
        TEST(test_handler__failure_without_words_has_the_statuss_text),
        TEST(test_result__must_be_json_within_the_limit),
        TEST(test_task__knows_its_job),
        TEST(test_progress__is_seen_while_the_job_runs),
        TEST(test_timeout__fails_the_attempt_at_once),
        CLOCK_TEST(test_timeout__runs_on_the_handles_clock),
        CLOCK_TEST(test_lease__lost_tells_the_handler_and_runs_it_again),
        TEST(test_cancel__reaches_the_handler),
        TEST(test_drain__waits_for_delayed_jobs_and_retries),
        TEST(test_drain__of_nothing_ends),
        TEST(test_drain__leaves_other_kinds_and_queues),
        TEST(test_slow_job__does_not_keep_others_from_other_workers),
        TEST(test_stop__hands_back_what_was_not_started),
        TEST(test_stop__hard_cancels_and_hands_back),
        TEST(test_stop__before_the_start_runs_nothing),
        TEST(test_close__ends_an_idle_pool_at_once),
        TEST(test_close__waits_for_a_run),
        TEST(test_open__refuses_bad_options),
        TEST(test_start__without_anything_to_run_is_refused),
        TEST(test_handle__once_per_kind_and_before_the_start),
        TEST(test_signals__stop_gracefully_then_hard_and_are_restored),
        TEST(test_signals__one_lets_running_jobs_finish),
        TEST(test_many__each_runs_exactly_once),
        TEST(test_run__is_durable_when_it_returns),
        TEST(test_own_pool__belongs_to_the_handle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
