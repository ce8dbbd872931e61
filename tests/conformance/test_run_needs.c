/*
 * What a sub-DAG's nodes may depend on outside their run, and what a purge beside live runs keeps.
 * Covers src/store/embedded/{engine_circle,embedded_purge}.c.
 */
#include "conformance/run_fixture.h"

#include <pthread.h>

#include <queuack/worker.h>

static qk_id id_of(struct runs *f, qk_id run, const char *name)
{
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    assert_int_equal(qk_run_node(&job, f->queue, run, name, &err), QK_OK);
    qk_id id = job->id;
    qk_job_free(job);
    return id;
}

/* Expands the claimed node to a run of one node that needs `needed`. */
static qk_status expand_to_need(struct runs *f, const qk_lease *lease, qk_id needed, qk_error *err)
{
    static const struct node one[] = { { "inner", { 0 }, QK_MODE_ALL, false, false } };
    qk__new_job job[1];
    qk_id needs[1][NODE_PARENTS], child;
    qk__new_run run = { .id = qk_id_new(), .name = "child" };
    fill_jobs(job, needs, one, 1);
    needs[0][0] = needed;
    job[0].needs_count = 1;
    return f->store->ops->expand(f->store, &child, lease, &run, job, 1, err);
}

static const struct node nested[] = {
    { "first", { 0 }, QK_MODE_ALL, false, false },
    { "sub", { "first" }, QK_MODE_ALL, true, false },
    { "report", { "sub" }, QK_MODE_ALL_DONE, false, false },
};

static void test_needs__sub_dag_cannot_wait_for_itself(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    char id[QK_ID_TEXT_SIZE];
    qk_id run = submit(f, "outer", nested, 3);
    work(f, "first", QK_VERDICT_ACK, "1");
    qk_claims *claims = take(f, "sub");
    qk_id sub = claims->items[0].lease.job;
    assert_int_equal(expand_to_need(f, &claims->items[0].lease, sub, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "node 'inner' needs 'sub' ("));
    assert_non_null(strstr(err.message, qk_id_format(id, sub)));
    qk_id report = id_of(f, run, "report");
    assert_int_equal(expand_to_need(f, &claims->items[0].lease, report, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "node 'inner' needs 'report' ("));
    assert_non_null(strstr(err.message, "waits for the sub-DAG node 'sub'"));
    assert_answer(f, "SELECT count(*) FROM dag_runs", "1\n");

    /* The claim still holds, and what has ended may be needed. */
    qk_id first = id_of(f, run, "first");
    assert_int_equal(expand_to_need(f, &claims->items[0].lease, first, &err), QK_OK);
    qk_claims_free(claims);
    work(f, "inner", QK_VERDICT_ACK, "2");
    work(f, "report", QK_VERDICT_ACK, "3");
    assert_text(f, run, "outer|done|3|3|0|0");
}

/* Two levels down, by a job of no run that waits for the outermost. */
static void test_needs__circle_through_other_runs_is_refused(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    static const struct node deeper[] = { { "deep", { 0 }, QK_MODE_ALL, true, false } };
    qk_id run = submit(f, "outer", nested, 3);
    qk_id report = id_of(f, run, "report"), outsider;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.needs = &report;
    options.needs_count = 1;
    options.name = "mail";
    assert_int_equal(qk_enqueue(&outsider, f->queue, "task", NULL, &options, &err), QK_OK);
    work(f, "first", QK_VERDICT_ACK, "1");
    expand(f, "sub", "child", deeper, 1);
    qk_claims *claims = take(f, "deep");
    assert_int_equal(expand_to_need(f, &claims->items[0].lease, outsider, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "needs 'mail' ("));
    assert_non_null(strstr(err.message, "waits for the sub-DAG node 'deep'"));

    qk__new_job job[1];
    qk_id needs[1][NODE_PARENTS];
    static const struct node late[] = { { "late", { 0 }, QK_MODE_ALL, false, false } };
    fill_jobs(job, needs, late, 1);
    needs[0][0] = id_of(f, run, "sub");
    job[0].needs_count = 1;
    assert_int_equal(f->store->ops->add_nodes(f->store, &claims->items[0].lease, job, 1, &err),
                     QK_EINVAL);
    assert_non_null(strstr(err.message, "node 'late' needs 'sub' ("));
    qk_claims_free(claims);
}

static qk_status waits_for_its_node(qk_dag **out, const qk_factory_call *call, void *user,
                                    qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    const char *after = qk_id_format(id, call->parent_job);
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    (void)user;
    options.after = &after;
    options.after_count = 1;
    qk_status rc = qk_dag_new(out, "inside", NULL, err);
    return rc ? rc : qk_dag_add(*out, "inner", "task", NULL, &options, err);
}

static qk_status reg(qk_worker *worker, void *user, qk_error *err)
{
    (void)user;
    return qk_worker_factory(worker, "waits", waits_for_its_node, NULL, err);
}

static void test_needs__factory_that_waits_for_its_node_fails_it(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    qk_id run;
    assert_int_equal(qk_dag_new(&dag, "outer", NULL, &err), QK_OK);
    assert_int_equal(qk_dag_add_factory(dag, "sub", "waits", NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_run_submit(&run, f->queue, dag, NULL, &err), QK_OK);
    qk_dag_free(dag);
    assert_int_equal(qk_run_execute(f->queue, run, 1, reg, NULL, &err), QK_EJOBFAILED);
    assert_answer(f,
                  "SELECT status, attempts, error LIKE 'node ''inner'' needs ''sub'' (%' FROM jobs",
                  "failed|1|true\n");
}

static size_t purge(struct runs *f)
{
    size_t count = 0;
    qk_error err = QK_ERROR_INIT;
    if (qk_purge(&count, f->queue, NULL, &err))
        fail_msg("%s", err.message);
    return count;
}

static void test_purge__keeps_the_runs_that_live_jobs_need(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    static const struct node two[] = { { "x", { 0 }, QK_MODE_ALL, false, false },
                                       { "y", { 0 }, QK_MODE_ALL, false, false } };
    qk_id run = submit(f, "outer", nested, 3);
    work(f, "first", QK_VERDICT_ACK, "1");
    expand(f, "sub", "child", two, 2);
    work(f, "x", QK_VERDICT_ACK, "2");
    assert_int_equal(purge(f), 0); /* the node waits for the run of x */
    reopen(f);
    assert_text(f, run, "outer|running|3|1|1|0");
    work(f, "y", QK_VERDICT_ACK, "3");
    assert_int_equal(purge(f), 0); /* report will ask for the results of x and y */
    reopen(f);
    char *result = NULL;
    assert_int_equal(f->store->ops->result(f->store, &result, id_of(f, run, "sub"), &err), QK_OK);
    assert_string_equal(result, "{\"x\":2,\"y\":3}");
    free(result);

    qk_id sub = id_of(f, run, "sub"), outsider;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.needs = &sub;
    options.needs_count = 1;
    work(f, "report", QK_VERDICT_ACK, "4");
    assert_int_equal(qk_enqueue(&outsider, f->queue, "task", NULL, &options, &err), QK_OK);
    assert_int_equal(purge(f), 0); /* the run has ended, but a job needs one of its nodes */
    assert_int_equal(qk_cancel(f->queue, outsider, &err), QK_OK);
    assert_int_equal(purge(f), 6);
    assert_answer(f, "SELECT count(*) FROM jobs", "0\n");
}

struct racer {
    struct runs *f;
    qk_id parent;
    bool enqueued;
};

static void *enqueue_child(void *argument)
{
    struct racer *racer = argument;
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.needs = &racer->parent;
    options.needs_count = 1;
    options.mode = QK_MODE_ALL_DONE; /* so that it lives */
    qk_status rc = qk_enqueue(NULL, racer->f->queue, "late", NULL, &options, &err);
    racer->enqueued = rc == QK_OK;
    return rc == QK_OK || rc == QK_ENOTFOUND ? NULL : racer;
}

/* A job either finds its parent, which then stays, or is refused: never is one left without. */
static void test_purge__never_takes_the_parent_of_a_new_job(void **state)
{
    struct runs *f = *state;
    for (int i = 0; i < 20; i++) {
        struct racer racer = { .f = f };
        qk_error err = QK_ERROR_INIT;
        pthread_t thread;
        void *failed;
        qk_job *job = NULL;
        assert_int_equal(qk_enqueue(&racer.parent, f->queue, "early", NULL, NULL, &err), QK_OK);
        assert_int_equal(qk_cancel(f->queue, racer.parent, &err), QK_OK);
        assert_int_equal(pthread_create(&thread, NULL, enqueue_child, &racer), 0);
        purge(f);
        assert_int_equal(pthread_join(thread, &failed), 0);
        assert_null(failed);
        qk_status there = qk_job_get(&job, f->queue, racer.parent, &err);
        assert_int_equal(there, racer.enqueued ? QK_OK : QK_ENOTFOUND);
        qk_job_free(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_needs__sub_dag_cannot_wait_for_itself),
        RUNS_TEST(test_needs__circle_through_other_runs_is_refused),
        RUNS_TEST(test_needs__factory_that_waits_for_its_node_fails_it),
        RUNS_TEST(test_purge__keeps_the_runs_that_live_jobs_need),
        RUNS_TEST(test_purge__never_takes_the_parent_of_a_new_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
