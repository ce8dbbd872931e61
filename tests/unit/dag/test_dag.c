/*
 * Building and checking DAGs: what is taken, and the exact message for what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dag/graph.h"

static char told[8][QK_ERROR_MESSAGE_SIZE];
static size_t told_count;

static void tell(void *user, const char *dag, const char *message)
{
    (void)user;
    (void)dag;
    assert_true(told_count < 8);
    snprintf(told[told_count++], sizeof(told[0]), "%s", message);
}

static qk_dag *new_dag(const char *name, const qk_dag_options *options)
{
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    told_count = 0;
    if (qk_dag_new(&dag, name, options, &err))
        fail_msg("%s", err.message);
    return dag;
}

/* Adds a node that depends on up to three others. */
static qk_status add(qk_dag *dag, const char *name, const char *a, const char *b, const char *c,
                     qk_error *err)
{
    const char *after[] = { a, b, c };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = a ? (b ? (c ? 3 : 2) : 1) : 0;
    return qk_dag_add(dag, name, "work", NULL, &options, err);
}

static void expect_error(qk_status rc, const qk_error *err, qk_status code, const char *message)
{
    assert_string_equal(err->message, message);
    assert_int_equal(rc, code);
}

static void test_validate__spells_the_cycle(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("etl", NULL);
    assert_int_equal(add(dag, "start", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "a", "start", "c", NULL, &err), QK_OK);
    assert_int_equal(add(dag, "b", "a", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "c", "b", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "end", "c", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'etl': cycle: a → b → c → a: remove one of these dependencies");
    qk_levels *levels = NULL;
    assert_int_equal(qk_dag_levels(&levels, dag, NULL), QK_EINVAL);
    assert_null(levels);
    qk_dag_free(dag);
}

static void test_validate__cuts_a_long_cycle(void **state)
{
    (void)state;
    char name[16], before[16];
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("ring", NULL);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(before, sizeof(before), "n%d", (i + 999) % 1000);
        assert_int_equal(add(dag, name, before, NULL, NULL, &err), QK_OK);
    }
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'ring': cycle: n0 → n1 → n2 → n3 → n4 → n5 → (994 more) → n0: "
                 "remove one of these dependencies");
    qk_dag_free(dag);
}

static void test_add__refuses_what_cannot_be(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("etl", NULL);
    const char *const none[] = { NULL };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    char long_name[300];

    assert_int_equal(add(dag, "clean", NULL, NULL, NULL, &err), QK_OK);
    expect_error(add(dag, "clean", NULL, NULL, NULL, &err), &err, QK_ECONFLICT,
                 "DAG 'etl', node 'clean': the name exists already: names are unique within a DAG");
    expect_error(add(dag, "x", "x", NULL, NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': depends on itself: remove it from its dependencies");
    expect_error(qk_dag_add(dag, "x", NULL, NULL, NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': has no work: give a kind, a command, SQL or a sub-DAG");
    expect_error(qk_dag_add_command(dag, "x", none, NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': the command is empty");
    expect_error(qk_dag_add_sql(dag, NULL, "", NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node '(unnamed)': the SQL is empty");
    expect_error(qk_dag_add(dag, "x", "work", "{", NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': payload: not JSON: unexpected end at byte 1");
    expect_error(qk_dag_add(dag, "x", "dag", NULL, NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': kind: \"dag\" is built in: add sub-DAGs with the calls for "
                 "them");
    expect_error(qk_dag_add(dag, "x\n", "work", NULL, NULL, &err), &err, QK_EINVAL,
                 "DAG 'etl': name of node 2: has a control character at byte 1");
    expect_error(qk_dag_add(dag, "0191d2c0-0000-7000-8000-000000000000", "work", NULL, NULL, &err),
                 &err, QK_EINVAL,
                 "DAG 'etl', node '0191d2c0-0000-7000-8000-000000000000': the name is an id: "
                 "dependencies could not tell it from a job's");
    memset(long_name, 'n', sizeof(long_name));
    long_name[256] = '\0';
    assert_int_equal(qk_dag_add(dag, long_name, "work", NULL, NULL, &err), QK_EINVAL);
    options.job = &job;
    job.priority = 101;
    expect_error(qk_dag_add(dag, "x", "work", NULL, &options, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': priority: 101 is not within 0 and 100");
    job.priority = 1;
    job.name = "y";
    expect_error(qk_dag_add(dag, "x", "work", NULL, &options, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': name: a node has its own already");
    job.name = NULL;
    options.when = "clean.rows >";
    expect_error(qk_dag_add(dag, "x", "work", NULL, &options, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': when: at byte 13: unexpected end, expected a value");
    options.when = NULL;
    options.store = "other";
    expect_error(qk_dag_add(dag, "x", "work", NULL, &options, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'x': store: only a sub-DAG can run in another store");
    options.version = 0;
    expect_error(qk_dag_add(dag, "x", "work", NULL, &options, &err), &err, QK_EINVAL,
                 "DAG 'etl': node options: version 0 is not known, start from "
                 "QK_NODE_OPTIONS_INIT");
    assert_int_equal(qk_dag_node_count(dag), 1);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    qk_dag_free(dag);
}

static void test_validate__names_unknown_dependencies_and_the_nearest(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("etl", NULL);
    assert_int_equal(add(dag, "extract", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "clean", "extarct", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'clean': depends on 'extarct', which is unknown: did you mean "
                 "'extract'?");
    assert_int_equal(add(dag, "extarct", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    assert_int_equal(add(dag, "far", "quite different", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'far': depends on 'quite different', which is unknown: add a "
                 "node of that name or correct it");
    qk_dag_free(dag);
}

static void test_validate__conditions_ask_for_dependencies_only(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    const char *const after[] = { "clean" };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk_dag *dag = new_dag("etl", NULL);
    assert_int_equal(add(dag, "clean", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "score", NULL, NULL, NULL, &err), QK_OK);
    options.after = after;
    options.after_count = 1;
    options.when = "clean.rows > 1 and params.day and status(clean) == 'done'";
    assert_int_equal(qk_dag_add(dag, "good", "work", NULL, &options, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    options.when = "scores.failed";
    assert_int_equal(qk_dag_add(dag, "bad", "work", NULL, &options, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'bad': when: 'scores' is unknown: did you mean 'score'?");
    qk_dag_free(dag);
    dag = new_dag("etl", NULL);
    assert_int_equal(add(dag, "clean", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "score", NULL, NULL, NULL, &err), QK_OK);
    options.when = "score.failed";
    assert_int_equal(qk_dag_add(dag, "bad", "work", NULL, &options, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'etl', node 'bad': when: 'score' is not among its dependencies: add it "
                 "there");
    qk_dag_free(dag);
}

static void test_fail_fast_off__gathers_all_problems(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    options.fail_fast = false;
    options.warn = tell;
    qk_dag *dag = new_dag("etl", &options);
    assert_int_equal(add(dag, "a", "b", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "b", "a", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "b", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "c", "c", "nowhere", NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_ECONFLICT,
                 "4 problems, the first: DAG 'etl', node 'b': the name exists already: names are "
                 "unique within a DAG");
    assert_int_equal(told_count, 4);
    assert_non_null(strstr(told[1], "depends on itself"));
    assert_non_null(strstr(told[2], "'nowhere', which is unknown"));
    assert_non_null(strstr(told[3], "cycle: a → b → a"));
    qk_dag_free(dag);
}

static void test_warnings__are_told_unless_switched_off(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    qk_node_options node = QK_NODE_OPTIONS_INIT;
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_id outside = qk_id_new();
    options.warn = tell;
    for (int i = 0; i < 2; i++) {
        options.validate = i == 0;
        qk_dag *dag = new_dag("etl", &options);
        job.needs = &outside;
        job.needs_count = 1;
        node.job = &job;
        assert_int_equal(qk_dag_add(dag, "a", "work", NULL, &node, &err), QK_OK);
        assert_int_equal(add(dag, "a2", "a", NULL, NULL, &err), QK_OK);
        assert_int_equal(qk_dag_add(dag, "b", "work", NULL, &node, &err), QK_OK);
        assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
        assert_int_equal(told_count, i == 0 ? 2 : 0);
        qk_dag_free(dag);
    }
    assert_string_equal(told[0], "no entry point: every node waits for a job outside the DAG");
    assert_string_equal(told[1], "disconnected parts: 2 that do not depend on each other, 'a' and "
                                 "'b' among them");
}

static void test_kinds__must_exist_where_they_are_known(void **state)
{
    (void)state;
    static const char *const kinds[] = { "resize", "upload" };
    static const char *const factories[] = { "nightly" };
    qk_error err = QK_ERROR_INIT;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    options.kinds = kinds;
    options.kind_count = 2;
    options.factories = factories;
    options.factory_count = 1;
    qk_dag *dag = new_dag("img", &options);
    assert_int_equal(qk_dag_add(dag, "a", "resize", NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_dag_add_factory(dag, "f", "nightly", NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    assert_int_equal(qk_dag_add(dag, "b", "uplaod", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'img', node 'b': there is no handler 'uplaod': did you mean 'upload'?");
    qk_dag_free(dag);
    dag = new_dag("img", &options);
    assert_int_equal(qk_dag_add_factory(dag, "f", "weekly", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_validate(dag, &err), &err, QK_EINVAL,
                 "DAG 'img', node 'f': there is no factory 'weekly': register it");
    qk_dag_free(dag);
    options.validate = false;
    dag = new_dag("img", &options);
    assert_int_equal(qk_dag_add(dag, "b", "uplaod", NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    qk_dag_free(dag);
}

static void test_names__are_made_when_left_out(void **state)
{
    (void)state;
    qk_node node;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("d", NULL);
    assert_int_equal(add(dag, NULL, NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "x", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, NULL, "job_1", NULL, NULL, &err), QK_OK);
    qk_dag_node(&node, dag, 2);
    assert_string_equal(node.name, "job_3");
    assert_int_equal(qk_dag_find(dag, "job_1"), 0);
    assert_true(qk_dag_find(dag, "job_2") == QK_NO_NODE);
    assert_int_equal(add(dag, "job_5", NULL, NULL, NULL, &err), QK_OK);
    expect_error(add(dag, NULL, NULL, NULL, NULL, &err), &err, QK_ECONFLICT,
                 "DAG 'd', node 'job_5': the automatic name is taken: name the node");
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    qk_dag_free(dag);
}

static void test_options__of_jobs_are_kept_and_shared(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    char queue[8] = "one";
    const char *tags[] = { "t" };
    qk_id outside = qk_id_new();
    char id[QK_ID_TEXT_SIZE];
    const char *after[] = { qk_id_format(id, outside), "a", "a" };
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk_node nodes[4];
    qk_dag *dag = new_dag("d", NULL);
    job.queue = queue;
    job.tags = tags;
    job.tag_count = 1;
    options.job = &job;
    assert_int_equal(qk_dag_add(dag, "a", "work", "{\"x\":1}", &options, &err), QK_OK);
    assert_int_equal(qk_dag_add(dag, "b", "work", NULL, &options, &err), QK_OK);
    snprintf(queue, sizeof(queue), "two"); /* the same memory, other content */
    assert_int_equal(qk_dag_add(dag, "c", "work", NULL, &options, &err), QK_OK);
    options.after = after;
    options.after_count = 3;
    assert_int_equal(qk_dag_add(dag, "d", "work", NULL, &options, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    for (size_t i = 0; i < 4; i++)
        qk_dag_node(&nodes[i], dag, i);
    assert_ptr_equal(nodes[0].job, nodes[1].job);
    assert_string_equal(nodes[1].job->queue, "one");
    assert_string_equal(nodes[2].job->queue, "two");
    assert_string_equal(nodes[2].job->tags[0], "t");
    assert_string_equal(nodes[0].payload, "{\"x\":1}");
    assert_int_equal(nodes[3].job->needs_count, 1);
    assert_int_equal(qk_id_compare(nodes[3].job->needs[0], outside), 0);
    assert_int_equal(dag->graph.parent_at[4] - dag->graph.parent_at[3], 1);
    qk_dag_free(dag);
}

static void test_subdag__belongs_to_its_parent(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("outer", NULL);
    qk_dag *child = new_dag("inner", NULL);
    assert_int_equal(add(child, "a", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(qk_dag_add_dag_take(dag, "sub", child, NULL, &err), QK_OK);
    expect_error(add(child, "b", NULL, NULL, NULL, &err), &err, QK_ESTATE,
                 "DAG 'inner': was submitted or is part of another: nothing can be added to it");
    expect_error(
        qk_dag_add_dag_take(dag, "again", child, NULL, &err), &err, QK_ESTATE,
        "DAG 'outer', node 'again': the sub-DAG was submitted or is part of a DAG already");
    assert_int_equal(qk_dag_add_dag_take(dag, "self", dag, NULL, &err), QK_ESTATE);
    assert_int_equal(dag->total, 2 + 0);
    /* A bad child stays the caller's. */
    qk_dag *bad = new_dag("bad", NULL);
    assert_int_equal(add(bad, "a", "b", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(bad, "b", "a", NULL, NULL, &err), QK_OK);
    expect_error(qk_dag_add_dag_take(dag, "bad", bad, NULL, &err), &err, QK_EINVAL,
                 "DAG 'bad': cycle: a → b → a: remove one of these dependencies");
    qk_dag_free(bad);
    qk_dag_free(dag);
}

static void test_subdag__nesting_is_limited(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("level", NULL);
    for (int level = 2; level <= QK_DAG_NESTING_MAX; level++) {
        qk_dag *outer = new_dag("level", NULL);
        assert_int_equal(qk_dag_add_dag_take(outer, "sub", dag, NULL, &err), QK_OK);
        dag = outer;
    }
    char *json = NULL;
    qk_dag *back = NULL;
    assert_int_equal(qk_dag_to_json(&json, dag, &err), QK_OK);
    if (qk_dag_from_json(&back, json, strlen(json), NULL, &err))
        fail_msg("%s", err.message);
    qk_dag_free(back);
    free(json);
    qk_dag *outer = new_dag("one more", NULL);
    expect_error(qk_dag_add_dag_take(outer, "sub", dag, NULL, &err), &err, QK_ETOOLARGE,
                 "DAG 'one more', node 'sub': sub-DAGs nest deeper than 64 levels");
    qk_dag_free(outer);
    qk_dag_free(dag);
}

static void test_limits__on_nodes(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    options.max_nodes = 2;
    qk_dag *dag = new_dag("small", &options);
    assert_int_equal(add(dag, "a", NULL, NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "b", NULL, NULL, NULL, &err), QK_OK);
    expect_error(add(dag, "c", NULL, NULL, NULL, &err), &err, QK_ETOOLARGE,
                 "DAG 'small': more than 2 nodes: raise max_nodes or split it");
    qk_dag_free(dag);
    options.version = 9;
    assert_int_equal(qk_dag_new(&dag, "x", &options, &err), QK_EINVAL);
    assert_int_equal(qk_dag_new(&dag, "", NULL, &err), QK_EINVAL);
    options = (qk_dag_options)QK_DAG_OPTIONS_INIT;
    options.params = "[1]";
    expect_error(qk_dag_new(&dag, "x", &options, &err), &err, QK_EINVAL,
                 "params: must be a JSON object");
}

static void test_addition__leaves_names_to_the_run(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_dag_options options = QK_DAG_OPTIONS_INIT;
    options.addition = true;
    qk_dag *dag = new_dag("more", &options);
    assert_int_equal(add(dag, "a", "running", NULL, NULL, &err), QK_OK);
    assert_int_equal(add(dag, "b", "a", "other", NULL, &err), QK_OK);
    assert_int_equal(qk_dag_validate(dag, &err), QK_OK);
    assert_int_equal(dag->graph.outer_count, 2);
    assert_int_equal(dag->graph.outer[1].node, 1);
    assert_string_equal(dag->graph.outer[1].name, "other");
    qk_dag_free(dag);
}

static void test_critical_path__is_the_longest(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_names *path = NULL;
    qk_duration total = { 0 };
    qk_dag *dag = new_dag("d", NULL);
    add(dag, "a", NULL, NULL, NULL, &err);
    add(dag, "quick", "a", NULL, NULL, &err);
    add(dag, "slow", "a", NULL, NULL, &err);
    add(dag, "end", "quick", "slow", NULL, &err);
    const qk_duration durations[] = { { 1 }, { 5 }, { 50 }, { 2 } };
    assert_int_equal(qk_dag_critical_path(&path, &total, dag, durations, &err), QK_OK);
    assert_int_equal(path->count, 3);
    assert_string_equal(path->items[1], "slow");
    assert_int_equal(total.us, 53);
    qk_names_free(path);
    assert_int_equal(qk_dag_critical_path(&path, &total, dag, NULL, &err), QK_OK);
    assert_string_equal(path->items[1], "quick");
    assert_int_equal(total.us, 3);
    qk_names_free(path);
    assert_int_equal(qk_dag_ancestors(&path, dag, "end", &err), QK_OK);
    assert_int_equal(path->count, 3);
    qk_names_free(path);
    assert_int_equal(qk_dag_descendants(&path, dag, "slow", &err), QK_OK);
    assert_int_equal(path->count, 1);
    assert_string_equal(path->items[0], "end");
    qk_names_free(path);
    expect_error(qk_dag_descendants(&path, dag, "solw", &err), &err, QK_ENOTFOUND,
                 "DAG 'd', node 'solw': does not exist: did you mean 'slow'?");
    qk_dag_free(dag);
}

static void test_empty__is_a_dag(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_levels *levels = NULL;
    qk_names *path = NULL;
    qk_simulation *simulation = NULL;
    qk_dag *dag = new_dag("empty", NULL);
    assert_int_equal(qk_dag_levels(&levels, dag, &err), QK_OK);
    assert_int_equal(levels->count, 0);
    assert_int_equal(qk_dag_critical_path(&path, NULL, dag, NULL, &err), QK_OK);
    assert_int_equal(path->count, 0);
    assert_int_equal(qk_dag_simulate(&simulation, dag, NULL, &err), QK_OK);
    assert_false(simulation->failed);
    qk_levels_free(levels);
    qk_names_free(path);
    qk_simulation_free(simulation);
    qk_dag_free(dag);
    qk_dag_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validate__spells_the_cycle),
        cmocka_unit_test(test_validate__cuts_a_long_cycle),
        cmocka_unit_test(test_add__refuses_what_cannot_be),
        cmocka_unit_test(test_validate__names_unknown_dependencies_and_the_nearest),
        cmocka_unit_test(test_validate__conditions_ask_for_dependencies_only),
        cmocka_unit_test(test_fail_fast_off__gathers_all_problems),
        cmocka_unit_test(test_warnings__are_told_unless_switched_off),
        cmocka_unit_test(test_kinds__must_exist_where_they_are_known),
        cmocka_unit_test(test_names__are_made_when_left_out),
        cmocka_unit_test(test_options__of_jobs_are_kept_and_shared),
        cmocka_unit_test(test_subdag__belongs_to_its_parent),
        cmocka_unit_test(test_subdag__nesting_is_limited),
        cmocka_unit_test(test_limits__on_nodes),
        cmocka_unit_test(test_addition__leaves_names_to_the_run),
        cmocka_unit_test(test_critical_path__is_the_longest),
        cmocka_unit_test(test_empty__is_a_dag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
