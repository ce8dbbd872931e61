/*
 * Worker pools that change while they run: slots by hand and by load, shares of queues, a say in
 * what is claimed, how alive they are. On the real store.
 */
#include "conformance/worker_fixture.h"

#include <queuack/plugin.h>

static qk_worker *open_with(fixture *f, const qk_worker_options *options)
{
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;

    check(qk_worker_open(&worker, f->queue, options, &err), &err);
    return worker;
}

static void resize_to(qk_worker *worker, int slots)
{
    qk_error err = QK_ERROR_INIT;

    check(qk_worker_resize(worker, slots, &err), &err);
}

static bool soon(bool (*is_so)(const void *), const void *arg)
{
    double start = seconds();

    while (!is_so(arg)) {
        if (seconds() - start > PATIENCE_S)
            return false;
        sched_yield();
    }
    return true;
}

static size_t live_slots(const qk_worker *worker)
{
    qk_slot_state states[64];
    size_t count = qk_worker_slots_get(states, 64, worker), live = 0;

    for (size_t i = 0; i < count && i < 64; i++)
        live += states[i].live;
    return live;
}

static bool one_is_left(const void *worker)
{
    return live_slots(worker) == 1;
}

static bool four_are_live(const void *worker)
{
    return live_slots(worker) == 4;
}

static void test_resize__more_slots_run_more_jobs(void **state)
{
    fixture *f = *state;
    qk_worker *worker = open_worker(f, 1, false);

    enqueue_many(f, NULL, "wait", 3);
    handle(worker, "wait", stubborn, f);
    start(worker);
    await(&f->arrived);
    assert_int_not_equal(sem_trywait(&f->arrived), 0);
    resize_to(worker, 3);
    await(&f->arrived);
    await(&f->arrived);
    assert_int_equal(stats_of(worker).slots, 3);
    assert_int_equal(live_slots(worker), 3);
    for (int i = 0; i < 3; i++)
        sem_post(&f->open);
    qk_worker_close(worker);
}

static void test_resize__fewer_leave_running_jobs_alone(void **state)
{
    fixture *f = *state;
    qk_enqueued ids[3];
    qk_worker *worker = open_worker(f, 3, false);

    enqueue_many(f, ids, "wait", 3);
    handle(worker, "wait", stubborn, f);
    start(worker);
    for (int i = 0; i < 3; i++)
        await(&f->arrived);
    resize_to(worker, 1);
    assert_int_equal(stats_of(worker).running, 3);
    for (int i = 0; i < 3; i++)
        sem_post(&f->open);
    for (int i = 0; i < 3; i++) {
        qk_job *job = wait_for(f, ids[i].id);
        assert_int_equal(job->status, QK_JOB_DONE);
        assert_int_equal(job->attempts, 1);
        qk_job_free(job);
    }
    assert_true(soon(one_is_left, worker));
    /* And it still works, also when it grows again. */
    qk_id id = enqueue(f, "wait", NULL, NULL);
    sem_post(&f->open);
    qk_job_free(wait_for(f, id));
    resize_to(worker, 4);
    assert_true(soon(four_are_live, worker));
    qk_worker_close(worker);
}

static void test_resize__back_and_forth_loses_nothing(void **state)
{
    fixture *f = *state;
    enum { COUNT = 20000 };
    qk_worker *worker = open_worker(f, 2, true);
    qk_error err = QK_ERROR_INIT;

    enqueue_many(f, NULL, "k", COUNT);
    handle(worker, "k", nothing, NULL);
    start(worker);
    for (int i = 0; stats_of(worker).done < COUNT; i++) {
        qk_status rc = qk_worker_resize(worker, 1 + i % 9, &err);
        assert_true(rc == QK_OK || rc == QK_ESTATE); /* it may have drained by then */
        sched_yield();
    }
    run(worker);
    assert_int_equal(stats_of(worker).done, COUNT);
    assert_int_equal(stats_of(worker).lost, 0);
    assert_int_equal(qk_worker_resize(worker, 2, &err), QK_ESTATE);
    qk_worker_close(worker);
}

static void test_resize__refuses_nonsense(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = open_worker(f, 1, false);

    assert_int_equal(qk_worker_resize(worker, 0, &err), QK_EINVAL);
    assert_int_equal(qk_worker_resize(worker, 5000, &err), QK_EINVAL);
    assert_int_equal(qk_worker_resize(NULL, 1, &err), QK_EINVAL);
    resize_to(worker, 3); /* before the start: what it starts with */
    handle(worker, "k", nothing, NULL);
    start(worker);
    assert_int_equal(live_slots(worker), 3);
    qk_worker_stop(worker, false);
    assert_int_equal(qk_worker_resize(worker, 2, &err), QK_ESTATE);
    qk_worker_close(worker);
}

static void test_load__grows_while_busy_and_shrinks_when_idle(void **state)
{
    fixture *f = *state;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;

    options.concurrency = options.min_concurrency = 1;
    options.max_concurrency = 4;
    options.idle = qk_ms(1);
    qk_worker *worker = open_with(f, &options);
    enqueue_many(f, NULL, "wait", 8);
    handle(worker, "wait", stubborn, f);
    start(worker);
    for (int i = 0; i < 4; i++)
        await(&f->arrived);
    assert_int_equal(stats_of(worker).running, 4);
    assert_int_equal(stats_of(worker).slots, 4);
    for (int i = 0; i < 8; i++)
        sem_post(&f->open);
    for (int i = 0; i < 4; i++)
        await(&f->arrived);
    assert_true(soon(one_is_left, worker));
    qk_worker_close(worker);
}

typedef struct tally {
    atomic_int a, b, a_of_first_40;
} tally;

static qk_status count_queue(qk_task *task, void *user, qk_error *err)
{
    tally *tally = user;
    bool is_a = strcmp(qk_task_claim(task)->queue, "a") == 0;
    int before = atomic_load(&tally->a) + atomic_load(&tally->b);

    (void)err;
    if (is_a && before < 40)
        atomic_fetch_add(&tally->a_of_first_40, 1);
    atomic_fetch_add(is_a ? &tally->a : &tally->b, 1);
    return QK_OK;
}

static void fill_queue(fixture *f, const char *queue, int count)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;

    options.queue = queue;
    for (int i = 0; i < count; i++)
        enqueue(f, "k", NULL, &options);
}

static void test_weights__share_claims(void **state)
{
    fixture *f = *state;
    tally tally = { 0 };
    const char *queues[] = { "b", "a", "empty" };
    const int weights[] = { 1, 4, 100 };
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;

    options.concurrency = 1;
    options.drain = true;
    options.queues = queues;
    options.queue_count = 3;
    options.weights = weights;
    options.prefetch = -1;
    fill_queue(f, "a", 50);
    fill_queue(f, "b", 50);
    qk_worker *worker = open_with(f, &options);
    handle(worker, "k", count_queue, &tally);
    run(worker);
    qk_worker_close(worker);
    assert_int_equal(tally.a, 50);
    assert_int_equal(tally.b, 50);
    assert_in_range(tally.a_of_first_40, 31, 33);
}

static void test_weights__must_be_sensible(void **state)
{
    fixture *f = *state;
    const char *queues[] = { "a" };
    const int weights[] = { 0 };
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;

    options.weights = weights;
    assert_int_equal(qk_worker_open(&worker, f->queue, &options, &err), QK_EINVAL);
    options.queues = queues;
    options.queue_count = 1;
    assert_int_equal(qk_worker_open(&worker, f->queue, &options, &err), QK_EINVAL);
    options.weights = NULL;
    options.min_concurrency = 3;
    options.max_concurrency = 2;
    assert_int_equal(qk_worker_open(&worker, f->queue, &options, &err), QK_EINVAL);
}

typedef struct gatekeeper {
    atomic_int asked, let; /* let: how many it lets pass each time */
    atomic_ulong most_waiting;
    sem_t refused;
} gatekeeper;

static size_t admit(void *user, const qk_worker_load *load)
{
    gatekeeper *gatekeeper = user;

    atomic_fetch_add(&gatekeeper->asked, 1);
    if (load->waiting > atomic_load(&gatekeeper->most_waiting))
        atomic_store(&gatekeeper->most_waiting, load->waiting);
    size_t let = (size_t)atomic_load(&gatekeeper->let);
    if (let == 0)
        sem_post(&gatekeeper->refused);
    return let < load->wanted ? let : load->wanted;
}

static void test_admit__decides_how_many_are_claimed(void **state)
{
    fixture *f = *state;
    gatekeeper gatekeeper = { 0 };
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_id id = enqueue(f, "k", NULL, NULL);

    sem_init(&gatekeeper.refused, 0, 0);
    options.concurrency = 1;
    options.admit = admit;
    options.admit_user = &gatekeeper;
    qk_worker *worker = open_with(f, &options);
    handle(worker, "k", nothing, NULL);
    start(worker);
    await(&gatekeeper.refused);
    await(&gatekeeper.refused); /* it is asked again */
    assert_status(f, id, QK_JOB_PENDING);
    atomic_store(&gatekeeper.let, 1);
    qk_job_free(wait_for(f, id));
    assert_status(f, id, QK_JOB_DONE);
    assert_int_equal(atomic_load(&gatekeeper.most_waiting), 1);
    qk_worker_close(worker);
    sem_destroy(&gatekeeper.refused);
}

static void test_health__tells_who_is_stuck(void **state)
{
    fixture *f = *state;
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_worker_health health;
    qk_slot_state states[2];
    qk_worker *worker = open_worker(f, 2, false);

    qk_worker_health_get(&health, worker);
    assert_false(health.started || health.healthy);
    assert_true(health.since_claim.us < 0 && health.since_finish.us < 0);
    job.timeout = qk_ms(1);
    job.max_attempts = 1;
    qk_id id = enqueue(f, "wait", NULL, &job);
    handle(worker, "wait", stubborn, f);
    start(worker);
    await(&f->arrived);
    qk_job_free(wait_for(f, id)); /* failed by its timeout; the handler goes on */
    qk_worker_health_get(&health, worker);
    assert_true(health.started && health.healthy && !health.stopping);
    assert_int_equal(health.running, 1);
    assert_int_equal(health.overdue, 1);
    assert_true(health.since_claim.us >= 0 && health.since_look.us >= 0);
    assert_int_equal(qk_worker_slots_get(states, 2, worker), 2);
    const qk_slot_state *stuck = states[0].running ? &states[0] : &states[1];
    assert_true(stuck->live && stuck->running && stuck->overdue);
    assert_int_equal(qk_id_compare(stuck->job, id), 0);
    assert_int_equal(stuck->attempt, 1);
    assert_true(stuck->running_for.us >= 1000);
    /* The other slot works on. */
    qk_id other = enqueue(f, "wait", NULL, NULL);
    sem_post(&f->open);
    sem_post(&f->open);
    qk_job_free(wait_for(f, other));
    qk_worker_close(worker);
}

static void test_command_handler__is_checked(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    const char *none[] = { NULL };
    const char *cat[] = { "cat", NULL };
    qk_worker *worker = open_worker(f, 1, true);

    assert_int_equal(qk_worker_handle_command(worker, "k", none, NULL, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_worker_handle_command(worker, "", cat, NULL, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_worker_handle_command(worker, "command", cat, NULL, NULL, &err),
                     QK_ECONFLICT);
    assert_false(qk_worker_handles(worker, "k"));
    assert_true(qk_worker_handles(worker, "dag")); /* also before it starts */
    check(qk_worker_handle_command(worker, "k", cat, "/", NULL, &err), &err);
    assert_true(qk_worker_handles(worker, "k"));
    assert_int_equal(qk_worker_handle_command(worker, "k", cat, NULL, NULL, &err), QK_ECONFLICT);
    qk_id id = enqueue(f, "k", "{\"given\": [1]}", NULL);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_string_equal(job->result, "{\"given\": [1]}");
    qk_job_free(job);
    assert_int_equal(qk_worker_plugin(worker, "/nowhere.so", &err), QK_ESTATE);
    qk_worker_close(worker);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_resize__more_slots_run_more_jobs),
        TEST(test_resize__fewer_leave_running_jobs_alone),
        TEST(test_resize__back_and_forth_loses_nothing),
        TEST(test_resize__refuses_nonsense),
        TEST(test_load__grows_while_busy_and_shrinks_when_idle),
        TEST(test_weights__share_claims),
        TEST(test_weights__must_be_sensible),
        TEST(test_admit__decides_how_many_are_claimed),
        TEST(test_health__tells_who_is_stuck),
        TEST(test_command_handler__is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
