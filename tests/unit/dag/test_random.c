/*
 * Seeded random DAGs against a naive reference for levels and the dry run. The reference is written
 * from the contract's tables: it keeps parents in a matrix, looks at everything again after each
 * event, and shares nothing with the library but the public names.
 *
 * test_random [SEED] replays one seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <queuack/dag.h>

#define MOST 24
#define SEEDS 3000

typedef struct world {
    int count;
    bool parent[MOST][MOST]; /* [child][parent] */
    bool failing[MOST], untrue[MOST], goes_on[MOST], has_when[MOST];
    qk_dependency_mode mode[MOST];
    int place[MOST]; /* node by order of adding */
} world;

static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % below;
}

static void make_world(world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    random_state = seed * 7919 + 17;
    w->count = (int)pick(MOST) + 1;
    uint32_t density = pick(60) + 5;
    for (int i = 0; i < w->count; i++) {
        w->place[i] = i;
        w->mode[i] = (qk_dependency_mode)(pick(3) ? pick(5) : 0);
        w->failing[i] = pick(4) == 0;
        w->goes_on[i] = pick(5) == 0;
        w->has_when[i] = pick(5) == 0;
        w->untrue[i] = w->has_when[i] && pick(2);
        for (int p = 0; p < i; p++)
            w->parent[i][p] = pick(100) < density;
    }
    /* Nodes are added in any order, so that adding and running differ. */
    for (int i = w->count - 1; i > 0; i--) {
        int other = (int)pick((uint32_t)i + 1);
        int kept = w->place[i];
        w->place[i] = w->place[other];
        w->place[other] = kept;
    }
}

/* --- the reference -------------------------------------------------------------------------- */

typedef struct fate {
    int status; /* -1: open, 0 done, 1 failed, 2 skipped */
    int cause; /* skipped: who failed, -1: a condition */
    bool running;
    int when_failed;
} fate;

typedef struct events {
    int items[MOST * 2];
    int first, end;
} events;

/* What a terminal parent is to its children: 'd'one, 'f'ailure, 'c'ondition. */
static char seen_as(const world *w, const fate *fates, int node)
{
    if (fates[node].status == 0 || (fates[node].status == 1 && w->goes_on[node]))
        return 'd';
    if (fates[node].status == 1 || fates[node].cause >= 0)
        return 'f';
    return 'c';
}

/* The table of the contract: +1 starts, -1 can no longer start, 0 waits. */
static int verdict(const world *w, const fate *fates, const bool *told, int node)
{
    int total = 0, done = 0, failed = 0, condition = 0;
    for (int p = 0; p < w->count; p++) {
        if (!w->parent[node][p])
            continue;
        total++;
        if (!told[p])
            continue;
        char seen = seen_as(w, fates, p);
        done += seen == 'd';
        failed += seen == 'f';
        condition += seen == 'c';
    }
    bool all = done + failed + condition == total;
    if (total == 0)
        return 1;
    switch (w->mode[node]) {
    case QK_MODE_ALL:
        return failed || condition ? -1 : done == total;
    case QK_MODE_ANY:
        return done ? 1 : all ? -1 : 0;
    case QK_MODE_ALL_DONE:
        return all;
    case QK_MODE_ONE_FAILED:
        return failed ? 1 : all ? -1 : 0;
    default:
        return failed ? -1 : all;
    }
}

/* The failure that came first among those that the node was told of; -1: none. */
static int first_cause(const world *w, const fate *fates, const bool *told, int node)
{
    int best = -1;
    for (int p = 0; p < w->count; p++) {
        if (!w->parent[node][p] || !told[p] || seen_as(w, fates, p) != 'f')
            continue;
        int root = fates[p].status == 1 ? p : fates[p].cause;
        if (best < 0 || fates[root].when_failed < fates[best].when_failed)
            best = root;
    }
    return best;
}

static void decide(const world *w, fate *fates, const bool *told, int node, events *finish,
                   events *skips)
{
    int what = fates[node].status >= 0 || fates[node].running ? 0 : verdict(w, fates, told, node);
    if (what > 0 && !w->untrue[node]) {
        fates[node].running = true;
        finish->items[finish->end++] = node;
    } else if (what) {
        fates[node].status = 2;
        fates[node].cause = what > 0 ? -1 : first_cause(w, fates, told, node);
        skips->items[skips->end++] = node;
    }
}

static void play(const world *w, fate *fates)
{
    bool told[MOST] = { false };
    events finish = { .first = 0 };
    events skips = { .first = 0 };
    for (int i = 0; i < w->count; i++)
        fates[i] = (fate){ .status = -1, .cause = -1 };
    for (int i = 0; i < w->count; i++) {
        int node = w->place[i];
        bool entry = true;
        for (int p = 0; p < w->count; p++)
            entry = entry && !w->parent[node][p];
        if (entry)
            decide(w, fates, told, node, &finish, &skips);
    }
    while (skips.first < skips.end || finish.first < finish.end) {
        int node;
        if (skips.first < skips.end) {
            node = skips.items[skips.first++];
        } else {
            node = finish.items[finish.first++];
            fates[node].status = w->failing[node];
            fates[node].when_failed = finish.first;
        }
        told[node] = true;
        for (int i = 0; i < w->count; i++) {
            if (w->parent[w->place[i]][node])
                decide(w, fates, told, w->place[i], &finish, &skips);
        }
    }
}

/* Parents have lower numbers, so one pass is enough. */
static void find_ways(const world *w, int ways[MOST])
{
    for (int i = 0; i < w->count; i++) {
        ways[i] = 0;
        for (int p = 0; p < i; p++) {
            if (w->parent[i][p] && ways[p] + 1 > ways[i])
                ways[i] = ways[p] + 1;
        }
    }
}

/* --- the library ---------------------------------------------------------------------------- */

static qk_dag *build(const world *w)
{
    qk_dag *dag = NULL;
    char names[MOST][16];
    assert_int_equal(qk_dag_new(&dag, "random", NULL, NULL), QK_OK);
    for (int i = 0; i < w->count; i++)
        snprintf(names[i], sizeof(names[i]), "n%d", i);
    for (int i = 0; i < w->count; i++) {
        int node = w->place[i];
        const char *after[MOST * 2];
        qk_job_options job = QK_JOB_OPTIONS_INIT;
        qk_node_options options = QK_NODE_OPTIONS_INIT;
        options.job = &job;
        options.after = after;
        job.mode = w->mode[node];
        job.continue_on_failure = w->goes_on[node];
        for (int p = 0; p < w->count; p++) {
            for (int twice = 0; w->parent[node][p] && twice < 1 + p % 2; twice++)
                after[options.after_count++] = names[p];
        }
        options.when = w->has_when[node] ? "params.x" : NULL;
        assert_int_equal(qk_dag_add(dag, names[node], "work", NULL, &options, NULL), QK_OK);
    }
    return dag;
}

static void compare_levels(const world *w, qk_dag *dag, uint64_t seed)
{
    qk_levels *levels = NULL;
    assert_int_equal(qk_dag_levels(&levels, dag, NULL), QK_OK);
    size_t seen = 0;
    int ways[MOST];
    find_ways(w, ways);
    for (size_t level = 0; level < levels->count; level++) {
        for (size_t at = levels->starts[level]; at < levels->starts[level + 1]; at++, seen++) {
            int node = atoi(levels->names[at] + 1); /* NOLINT(cert-err34-c): our own text */
            if (ways[node] != (int)level)
                fail_msg("seed %llu: n%d is on level %zu", (unsigned long long)seed, node, level);
        }
    }
    assert_int_equal(seen, w->count);
    qk_levels_free(levels);
}

static void compare_fates(const world *w, qk_dag *dag, uint64_t seed)
{
    fate fates[MOST];
    char names[MOST][16];
    const char *failing[MOST], *untrue[MOST];
    qk_simulate_options options = QK_SIMULATE_OPTIONS_INIT;
    qk_simulation *result = NULL;
    bool run_failed = false;
    options.failing = failing;
    options.untrue = untrue;
    for (int i = 0; i < w->count; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        if (w->failing[i])
            failing[options.failing_count++] = names[i];
        if (w->untrue[i])
            untrue[options.untrue_count++] = names[i];
    }
    play(w, fates);
    assert_int_equal(qk_dag_simulate(&result, dag, &options, NULL), QK_OK);
    assert_int_equal(result->count, w->count);
    for (int i = 0; i < w->count; i++) {
        static const qk_job_status statuses[] = { QK_JOB_DONE, QK_JOB_FAILED, QK_JOB_SKIPPED };
        int node = w->place[i];
        char reason[40] = "";
        if (fates[node].status == 2 && fates[node].cause >= 0)
            snprintf(reason, sizeof(reason), "parent_failed:n%d", fates[node].cause);
        else if (fates[node].status == 2)
            snprintf(reason, sizeof(reason), "condition");
        const qk_simulated *got = &result->nodes[i];
        if (fates[node].status < 0 || got->status != statuses[fates[node].status] ||
            strcmp(got->skip_reason ? got->skip_reason : "", reason) != 0)
            fail_msg("seed %llu: %s is %s %s, expected status %d %s", (unsigned long long)seed,
                     got->node, qk_job_status_name(got->status),
                     got->skip_reason ? got->skip_reason : "", fates[node].status, reason);
        run_failed = run_failed || (fates[node].status == 1 && !w->goes_on[node]);
    }
    assert_int_equal(result->failed, run_failed);
    qk_simulation_free(result);
}

static uint64_t only_seed;

static void test_random__agrees_with_the_reference(void **state)
{
    (void)state;
    world w;
    for (uint64_t seed = only_seed ? only_seed : 1; seed <= (only_seed ? only_seed : SEEDS);
         seed++) {
        make_world(&w, seed);
        qk_dag *dag = build(&w);
        compare_levels(&w, dag, seed);
        compare_fates(&w, dag, seed);
        qk_dag_free(dag);
    }
}

static void test_random__json_changes_nothing(void **state)
{
    (void)state;
    world w;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        char *text = NULL;
        char *again = NULL;
        qk_dag *back = NULL;
        make_world(&w, seed);
        qk_dag *dag = build(&w);
        assert_int_equal(qk_dag_to_json(&text, dag, NULL), QK_OK);
        assert_int_equal(qk_dag_from_json(&back, text, strlen(text), NULL, NULL), QK_OK);
        assert_int_equal(qk_dag_to_json(&again, back, NULL), QK_OK);
        assert_string_equal(text, again);
        compare_fates(&w, back, seed);
        qk_dag_free(dag);
        qk_dag_free(back);
        free(text);
        free(again);
    }
}

static void test_simulate__goes_into_sub_dags(void **state)
{
    (void)state;
    static const char definition[] =
        "{\"name\":\"o\",\"nodes\":[{\"name\":\"a\",\"kind\":\"w\"},{\"name\":\"s\",\"needs\":[\"a\"],"
        "\"dag\":{\"nodes\":[{\"name\":\"x\",\"kind\":\"w\"},{\"name\":\"y\",\"kind\":\"w\",\"needs\":"
        "[\"x\"]}]}},{\"name\":\"b\",\"kind\":\"w\",\"needs\":[\"s\"]},{\"name\":\"c\",\"kind\":\"w\","
        "\"needs\":[\"a\"],\"when\":\"a.rows > 5\"}]}";
    static const char *const inner[] = { "s/x" };
    static const char *const wrong[] = { "s/z" };
    static const char *const expected[] = {
        "a done ",
        "s failed ",
        "s/x failed ",
        "s/y skipped parent_failed:s/x",
        "b skipped parent_failed:s",
        "c skipped condition",
    };
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    qk_simulation *result = NULL;
    qk_simulate_options options = QK_SIMULATE_OPTIONS_INIT;
    assert_int_equal(qk_dag_from_json(&dag, definition, strlen(definition), NULL, &err), QK_OK);
    options.failing = inner;
    options.failing_count = 1;
    options.results = "{\"a\":{\"rows\":5}}";
    assert_int_equal(qk_dag_simulate(&result, dag, &options, &err), QK_OK);
    assert_true(result->failed);
    assert_int_equal(result->count, 6);
    for (size_t i = 0; i < 6; i++) {
        char line[128];
        const qk_simulated *node = &result->nodes[i];
        snprintf(line, sizeof(line), "%s %s %s", node->node, qk_job_status_name(node->status),
                 node->skip_reason ? node->skip_reason : "");
        assert_string_equal(line, expected[i]);
    }
    assert_int_equal(result->totals[QK_JOB_SKIPPED], 3);
    qk_simulation_free(result);
    options.failing = wrong;
    assert_int_equal(qk_dag_simulate(&result, dag, &options, &err), QK_ENOTFOUND);
    options.failing_count = 0;
    options.results = "{\"a\":{\"rows\":6}}";
    assert_int_equal(qk_dag_simulate(&result, dag, &options, &err), QK_OK);
    assert_false(result->failed);
    assert_int_equal(result->totals[QK_JOB_DONE], 6);
    qk_simulation_free(result);
    qk_dag_free(dag);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random__agrees_with_the_reference),
        cmocka_unit_test(test_random__json_changes_nothing),
        cmocka_unit_test(test_simulate__goes_into_sub_dags),
    };
    only_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
