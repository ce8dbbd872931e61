/*
 * Sub-DAGs, task context, dynamic nodes and execution in place, through the library as a program
 * uses it. Covers src/dag/run_submit.c, src/worker/{subdag,factory,upstream}.c.
 */
#include "conformance/run_fixture.h"

#include <queuack/worker.h>

static qk_dag *dag_new(const char *name)
{
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    if (qk_dag_new(&dag, name, NULL, &err))
        fail_msg("%s", err.message);
    return dag;
}

static void add(qk_dag *dag, const char *name, const char *kind, const char *after,
                const char *when)
{
    qk_error err = QK_ERROR_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = &after;
    options.after_count = after != NULL;
    options.when = when;
    if (qk_dag_add(dag, name, kind, NULL, &options, &err))
        fail_msg("%s", err.message);
}

static void add_factory(qk_dag *dag, const char *name, const char *factory, const char *after)
{
    qk_error err = QK_ERROR_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = &after;
    options.after_count = after != NULL;
    if (qk_dag_add_factory(dag, name, factory, NULL, &options, &err))
        fail_msg("%s", err.message);
}

static qk_id submit_dag(struct runs *f, qk_dag *dag)
{
    qk_id run;
    qk_error err = QK_ERROR_INIT;
    if (qk_run_submit(&run, f->queue, dag, NULL, &err))
        fail_msg("%s", err.message);
    qk_dag_free(dag);
    return run;
}

static qk_status noop(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, "{\"n\":3}", err);
}

static qk_status upstream(qk_task *task, void *user, qk_error *err)
{
    const char *text = NULL;
    (void)user;
    qk_status rc = qk_task_upstream_all(&text, task, err);
    return rc ? rc : qk_task_result(task, text, err);
}

static qk_status returns_dag(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(
        task, "{\"name\":\"made\",\"nodes\":[{\"name\":\"one\",\"kind\":\"noop\"}]}", err);
}

static qk_status adds_nodes(qk_task *task, void *user, qk_error *err)
{
    qk_dag *dag = NULL;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    options.addition = true;
    (void)user;
    qk_status rc = qk_dag_new(&dag, "more", &options, err);
    if (rc)
        return rc;
    add(dag, "late", "upstream", qk_task_node(task), NULL);
    rc = qk_task_add_nodes(task, dag, err);
    qk_dag_free(dag);
    return rc ? rc : qk_task_result(task, "1", err);
}

/* `params` counts how many levels are still to come. */
static qk_status nest(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    int limit = *(int *)user;
    qk_status rc = qk_dag_new(out, "level", NULL, err);
    if (rc)
        return rc;
    if (call->depth < limit)
        add_factory(*out, "deeper", "nest", NULL);
    else
        add(*out, "bottom", "noop", NULL, NULL);
    return QK_OK;
}

static qk_status ten(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    (void)user;
    (void)call;
    qk_status rc = qk_dag_new(out, "ten", NULL, err);
    for (int i = 0; i < 10 && !rc; i++)
        rc = qk_dag_add(*out, NULL, "noop", NULL, NULL, err);
    return rc;
}

static qk_status nothing(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    (void)out;
    (void)call;
    (void)user;
    (void)err;
    return QK_OK;
}

/* Its result is the number of its attempt. */
static qk_status attempt(qk_task *task, void *user, qk_error *err)
{
    char text[32];
    (void)user;
    snprintf(text, sizeof(text), "{\"n\":%d}", (int)qk_task_attempt(task));
    return qk_task_result(task, text, err);
}

static int levels = 50;

static qk_status reg(qk_worker *worker, void *user, qk_error *err)
{
    (void)user;
    qk_status rc = qk_worker_handle(worker, "noop", noop, NULL, err);
    rc = rc ? rc : qk_worker_handle(worker, "upstream", upstream, NULL, err);
    rc = rc ? rc : qk_worker_handle(worker, "returns_dag", returns_dag, NULL, err);
    rc = rc ? rc : qk_worker_handle(worker, "adds_nodes", adds_nodes, NULL, err);
    rc = rc ? rc : qk_worker_handle(worker, "attempt", attempt, NULL, err);
    rc = rc ? rc : qk_worker_factory(worker, "nest", nest, &levels, err);
    rc = rc ? rc : qk_worker_factory(worker, "ten", ten, NULL, err);
    return rc ? rc : qk_worker_factory(worker, "nothing", nothing, NULL, err);
}

static qk_status execute(struct runs *f, qk_id run, qk_error *err)
{
    return qk_run_execute(f->queue, run, 1, reg, NULL, err);
}

static void must_execute(struct runs *f, qk_id run)
{
    qk_error err = QK_ERROR_INIT;
    if (execute(f, run, &err))
        fail_msg("%s", err.message);
}

static void test_execute__passes_results_on(void **state)
{
    struct runs *f = *state;
    qk_dag *dag = dag_new("chain");
    add(dag, "a", "noop", NULL, NULL);
    add(dag, "b", "upstream", "a", NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "chain|done|2|2|0|0");
    assert_answer(f, "SELECT result FROM jobs WHERE node_name = 'b'", "{\"a\":{\"n\":3}}\n");
}

static void test_when__false_skips_with_condition(void **state)
{
    struct runs *f = *state;
    qk_dag *dag = dag_new("branch");
    add(dag, "a", "noop", NULL, NULL);
    add(dag, "yes", "noop", "a", "a.n == 3");
    add(dag, "no", "noop", "a", "a.n > 3");
    add(dag, "after_no", "noop", "no", NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "branch|done|4|2|0|0");
    assert_answer(f,
                  "SELECT node_name, status, skip_reason, attempts FROM jobs "
                  "WHERE node_name LIKE '%no' ORDER BY node_name",
                  "after_no|skipped|condition|0\nno|skipped|condition|0\n");
}

static void test_nesting__one_slot_finishes_50_levels(void **state)
{
    struct runs *f = *state;
    qk_dag *dag = dag_new("top");
    levels = 50;
    add_factory(dag, "deeper", "nest", NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "top|done|1|1|0|0");
    assert_answer(f, "SELECT count(*), count(DISTINCT root_run_id) FROM dag_runs", "50|1\n");
    qk_run_tree *tree = NULL;
    qk_error err = QK_ERROR_INIT;
    assert_int_equal(qk_run_hierarchy(&tree, f->queue, run, &err), QK_OK);
    assert_int_equal(tree->count, 50);
    assert_int_equal(tree->items[49].depth, 49);
    qk_run_tree_free(tree);
}

static void test_nesting__recursive_factory_stops_at_the_limit(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = dag_new("top");
    levels = 1000;
    add_factory(dag, "deeper", "nest", NULL);
    qk_id run = submit_dag(f, dag);
    assert_int_equal(execute(f, run, &err), QK_EJOBFAILED);
    assert_answer(f, "SELECT count(*) FROM dag_runs", "64\n");
    assert_answer(f,
                  "SELECT count(*) FROM jobs WHERE error LIKE "
                  "'sub-DAGs are nested more than 64 deep: deeper → deeper → %'",
                  "1\n");
}

static void test_subdags__one_slot_runs_many(void **state)
{
    struct runs *f = *state;
    char name[32];
    qk_dag *dag = dag_new("many");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "sub%d", i);
        add_factory(dag, name, "ten", NULL);
    }
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "many|done|100|100|0|0");
    assert_answer(f, "SELECT count(*) FROM jobs WHERE status = 'done'", "1100\n");
}

static void test_dynamic__result_becomes_the_run(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = dag_new("dynamic");
    add(dag, "plan", "returns_dag", NULL, NULL);
    assert_int_equal(qk_dag_add_dynamic(dag, "sub", "plan", NULL, &err), QK_OK);
    add(dag, "after", "upstream", "sub", NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "dynamic|done|3|3|0|0");
    assert_answer(f, "SELECT result FROM jobs WHERE node_name = 'after'",
                  "{\"sub\":{\"one\":{\"n\":3}}}\n");
}

static void test_factory__without_a_dag_fails_the_node(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = dag_new("bad");
    add_factory(dag, "sub", "nothing", NULL);
    qk_id run = submit_dag(f, dag);
    assert_int_equal(execute(f, run, &err), QK_EJOBFAILED);
    assert_answer(f, "SELECT status, error FROM jobs",
                  "failed|factory 'nothing' returned no DAG: return one\n");
}

static void test_add_nodes__run_waits_for_them(void **state)
{
    struct runs *f = *state;
    qk_dag *dag = dag_new("grows");
    add(dag, "first", "adds_nodes", NULL, NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_text(f, run, "grows|done|2|2|0|0");
    assert_answer(f, "SELECT result FROM jobs WHERE node_name = 'late'", "{\"first\":1}\n");
}

static void test_upstream__is_the_last_result_also_after_a_retry(void **state)
{
    struct runs *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = dag_new("again");
    add(dag, "a", "attempt", NULL, NULL);
    add(dag, "b", "upstream", "a", NULL);
    add(dag, "c", "upstream", "a", NULL);
    qk_id run = submit_dag(f, dag);
    must_execute(f, run);
    assert_answer(f, "SELECT result FROM jobs WHERE node_name = 'c'", "{\"a\":{\"n\":1}}\n");
    assert_int_equal(qk_run_retry_from(f->queue, run, "a", &err), QK_OK);
    must_execute(f, run);
    assert_answer(f, "SELECT result FROM jobs WHERE node_name IN ('b', 'c')",
                  "{\"a\":{\"n\":2}}\n{\"a\":{\"n\":2}}\n");
    assert_int_equal(qk_run_retry_from(f->queue, run, "c", &err), QK_OK);
    must_execute(f, run);
    assert_answer(f, "SELECT result FROM jobs WHERE node_name = 'c'", "{\"a\":{\"n\":2}}\n");
}

struct told {
    int started, ended, expanded;
    qk_id child;
};

static void on_started(void *user, const qk_claimed *claim)
{
    struct told *told = user;
    told->started++;
    assert_false(qk_id_is_none(claim->run_id));
}

static void on_expanded(void *user, const qk_claimed *claim, qk_id run, const qk_dag *dag)
{
    struct told *told = user;
    told->expanded++;
    told->child = run;
    assert_string_equal(claim->node_name, "sub");
    assert_int_equal(qk_dag_node_count(dag), 10);
}

static void on_finished(void *user, const qk_outcome *outcome, bool final, qk_status status)
{
    struct told *told = user;
    told->ended += status == QK_OK && outcome->verdict == QK_VERDICT_ACK && !final;
    assert_true(outcome->run_time.us >= 0);
}

static void test_pool_of_a_run__leaves_others_alone_and_tells_what_it_does(void **state)
{
    struct runs *f = *state;
    struct told told = { 0 };
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_dag *dag = dag_new("own");
    add_factory(dag, "sub", "ten", NULL);
    add(dag, "after", "noop", "sub", NULL);
    options.run = submit_dag(f, dag);
    assert_int_equal(qk_enqueue(NULL, f->queue, "noop", NULL, NULL, &err), QK_OK);
    options.concurrency = 1;
    options.on_started = on_started;
    options.on_expanded = on_expanded;
    options.on_finished = on_finished;
    options.on_started_user = options.on_expanded_user = options.on_finished_user = &told;
    assert_int_equal(qk_worker_open(&worker, f->queue, &options, &err), QK_OK);
    assert_int_equal(reg(worker, NULL, &err), QK_OK);
    assert_int_equal(qk_worker_run(worker, &err), QK_OK);
    qk_worker_close(worker);
    assert_answer(f, "SELECT status FROM jobs WHERE dag_run_id IS NULL", "pending\n");
    assert_int_equal(told.started, 12);
    assert_int_equal(told.expanded, 1);
    assert_int_equal(told.ended, 11);
    qk_run_tree *tree = NULL;
    assert_int_equal(qk_run_hierarchy(&tree, f->queue, options.run, &err), QK_OK);
    assert_int_equal(tree->count, 2);
    assert_int_equal(qk_id_compare(tree->items[1].id, told.child), 0);
    qk_run_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_execute__passes_results_on),
        RUNS_TEST(test_when__false_skips_with_condition),
        RUNS_TEST(test_nesting__one_slot_finishes_50_levels),
        RUNS_TEST(test_nesting__recursive_factory_stops_at_the_limit),
        RUNS_TEST(test_subdags__one_slot_runs_many),
        RUNS_TEST(test_dynamic__result_becomes_the_run),
        RUNS_TEST(test_factory__without_a_dag_fails_the_node),
        RUNS_TEST(test_add_nodes__run_waits_for_them),
        RUNS_TEST(test_upstream__is_the_last_result_also_after_a_retry),
        RUNS_TEST(test_pool_of_a_run__leaves_others_alone_and_tells_what_it_does),
    };
    return RUNS_MAIN(tests);
}
