/*
 * Row "runs": what executing DAGs costs, from before the submission until the run's end is durable.
 *
 * Nodes are no-ops in C; every case has a fresh file, and ends the row unless every node is done. The
 * cases of docs/benchmarks.md: a fan, a chain, a large submission, many sub-DAGs and deep nesting in
 * one slot, the hierarchy of many runs, and cost per node as size grows. Medians of three where a run
 * is short.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

static qk_status noop(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    return QK_OK;
}

static qk_dag *new_dag(const char *name)
{
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    bench_must(qk_dag_new(&dag, name, NULL, &err), &err, "dag");
    return dag;
}

static void add(qk_dag *dag, const char *name, const char *const *after, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = count;
    bench_must(qk_dag_add(dag, name, BENCH_KIND, NULL, &options, &err), &err, "node");
}

/* 1 → count - 2 → 1. */
static qk_dag *fan(uint32_t count)
{
    static const char *const first[] = { "first" };
    qk_dag *dag = new_dag("fan");
    uint32_t width = count - 2;
    char(*names)[16] = bench_alloc(width, sizeof *names);
    const char **all = bench_alloc(width, sizeof *all);
    add(dag, "first", NULL, 0);
    for (uint32_t i = 0; i < width; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i);
        all[i] = names[i];
        add(dag, names[i], first, 1);
    }
    add(dag, "last", all, width);
    free(all);
    free(names);
    return dag;
}

static qk_dag *chain(uint32_t count)
{
    qk_dag *dag = new_dag("chain");
    char names[2][16] = { "", "" };
    for (uint32_t i = 0; i < count; i++) {
        const char *before = names[(i + 1) % 2];
        snprintf(names[i % 2], sizeof names[0], "n%u", i);
        add(dag, names[i % 2], &before, i > 0);
    }
    return dag;
}

/* Levels of a thousand; each node depends on three of the level before. */
static qk_dag *layers(uint32_t count)
{
    qk_dag *dag = new_dag("layers");
    for (uint32_t i = 0; i < count; i++) {
        char name[16], parents[3][16];
        const char *after[3] = { parents[0], parents[1], parents[2] };
        snprintf(name, sizeof name, "n%u", i);
        for (uint32_t e = 0; i >= 1000 && e < 3; e++)
            snprintf(parents[e], sizeof parents[e], "n%u",
                     i / 1000 * 1000 - 1000 + (i * 7 + e * 331) % 1000);
        add(dag, name, after, i < 1000 ? 0 : 3);
    }
    return dag;
}

/* A number of sub-DAGs, each built by a factory. */
static qk_dag *subdags(uint32_t count, const char *factory)
{
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = new_dag("subdags");
    for (uint32_t i = 0; i < count; i++)
        bench_must(qk_dag_add_factory(dag, NULL, factory, NULL, NULL, &err), &err, "node");
    return dag;
}

/* What the factories build. */
typedef struct shape {
    uint32_t nodes; /* of "leaf" */
    uint32_t branches; /* of "branch": leaves */
    int depth; /* down to which "deep" goes on */
} shape;

static qk_status make_leaf(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    const shape *s = user;
    (void)call;
    qk_status rc = qk_dag_new(out, "leaf", NULL, err);
    for (uint32_t i = 0; !rc && i < s->nodes; i++)
        rc = qk_dag_add(*out, NULL, BENCH_KIND, NULL, NULL, err);
    return rc;
}

static qk_status make_branch(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    const shape *s = user;
    (void)call, (void)err;
    *out = subdags(s->branches, "leaf");
    return QK_OK;
}

static qk_status make_deep(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    const shape *s = user;
    (void)err;
    *out = call->depth < s->depth ? subdags(1, "deep") : chain(1);
    return QK_OK;
}

static qk_status learn(qk_worker *worker, void *user, qk_error *err)
{
    qk_status rc = qk_worker_handle(worker, BENCH_KIND, noop, NULL, err);
    rc = rc ? rc : qk_worker_factory(worker, "leaf", make_leaf, user, err);
    rc = rc ? rc : qk_worker_factory(worker, "branch", make_branch, user, err);
    return rc ? rc : qk_worker_factory(worker, "deep", make_deep, user, err);
}

static qk_id submit_take(qk_queue *queue, qk_dag *dag)
{
    qk_error err = QK_ERROR_INIT;
    qk_id run;
    bench_must(qk_run_submit(&run, queue, dag, NULL, &err), &err, "submit");
    qk_dag_free(dag);
    return run;
}

/* Seconds from before the submission until the run is done, durably. */
static double execute_take(const bench *b, qk_dag *dag, int slots, shape *s, uint64_t jobs)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = bench_open_fresh(b, "runs");
    double began = bench_now();
    qk_id run = submit_take(queue, dag);
    bench_must(qk_run_execute(queue, run, slots, learn, s, &err), &err, "execute");
    double seconds = bench_now() - began;
    if (bench_count(queue, QK_JOB_DONE) != jobs)
        bench_die("%llu jobs should be done", (unsigned long long)jobs);
    qk_queue_close(queue);
    return seconds;
}

static double median(double seconds[3])
{
    return bench_quantile(seconds, 3, 0.5);
}

static void fans_and_chains(bench *b)
{
    double seconds[3];
    shape s = { 0 };
    for (int i = 0; i < 3; i++)
        seconds[i] = execute_take(b, fan(10000), b->slots, &s, 10000);
    bench_report(b, "runs_fan_10000_s", median(seconds), "s", "1 → 9,998 → 1, %d slots", b->slots);
    for (int i = 0; i < 3; i++)
        seconds[i] = execute_take(b, chain(10000), b->slots, &s, 10000);
    bench_report(b, "runs_chain_10000_s", median(seconds), "s", "%d slots", b->slots);
}

static void submission(bench *b)
{
    double seconds[3];
    for (int i = 0; i < 3; i++) {
        qk_queue *queue = bench_open_fresh(b, "runs");
        qk_dag *dag = layers(100000);
        double began = bench_now();
        (void)submit_take(queue, dag);
        seconds[i] = bench_now() - began;
        qk_queue_close(queue);
    }
    bench_report(b, "runs_submit_100000_s", median(seconds), "s",
                 "100,000 nodes, 297,000 edges, checked and durable");
}

static void nested(bench *b)
{
    double seconds[3];
    shape s = { .nodes = 10, .depth = 50 };
    for (int i = 0; i < 3; i++)
        seconds[i] = execute_take(b, subdags(1000, "leaf"), 1, &s, 11000);
    bench_report(b, "runs_subdags_1000_s", median(seconds), "s", "of 10 nodes each, one slot");
    for (int i = 0; i < 3; i++)
        seconds[i] = execute_take(b, subdags(1, "deep"), 1, &s, 50);
    bench_report(b, "runs_nested_50_s", median(seconds), "s", "50 runs deep, one slot");
}

static double hierarchy_ms(qk_queue *queue, qk_id run, size_t count)
{
    double times[9];
    for (int i = 0; i < 9; i++) {
        qk_error err = QK_ERROR_INIT;
        qk_run_tree *tree = NULL;
        double began = bench_now();
        bench_must(qk_run_hierarchy(&tree, queue, run, &err), &err, "hierarchy");
        times[i] = (bench_now() - began) * 1e3;
        if (tree->count != count)
            bench_die("%zu runs in the hierarchy, not %zu", tree->count, count);
        qk_run_tree_free(tree);
    }
    return bench_quantile(times, 9, 0.5);
}

/* 1 + branches + branches * leaves runs: when all have ended, and in a file just opened, where those of
 * one branch are open again. */
static void hierarchy(bench *b)
{
    uint32_t branches = b->full ? 100 : 10, leaves = 99;
    size_t runs = 1 + branches + (size_t)branches * leaves;
    char path[BENCH_PATH_SIZE], key[64];
    qk_error err = QK_ERROR_INIT;
    shape s = { .nodes = 1, .branches = leaves };
    bench_fresh_path(path, b, "runs");
    qk_queue *queue = bench_open(path);
    qk_id run = submit_take(queue, subdags(branches, "branch"));
    bench_must(qk_run_execute(queue, run, b->slots, learn, &s, &err), &err, "execute");
    snprintf(key, sizeof key, "runs_hierarchy_%u_ms", branches * 100);
    bench_report(b, key, hierarchy_ms(queue, run, runs), "ms", "%zu runs that have ended", runs);
    bench_must(qk_run_retry_from(queue, run, "job_1", &err), &err, "retry");
    qk_queue_close(queue);
    queue = bench_open(path);
    snprintf(key, sizeof key, "runs_hierarchy_%u_opened_ms", branches * 100);
    bench_report(b, key, hierarchy_ms(queue, run, runs), "ms", "the file just opened");
    qk_queue_close(queue);
}

typedef struct growth {
    const char *name;
    qk_dag *(*build)(uint32_t count);
    uint32_t largest;
    uint32_t jobs_per; /* of a node that is counted */
} growth;

static qk_dag *ones(uint32_t count)
{
    return subdags(count, "leaf");
}

/* Cost per node at a thousand, ten thousand and, in full, a hundred thousand. */
static void grow(bench *b, const growth *g)
{
    double first = 0;
    char key[64];
    shape s = { .nodes = 1 };
    for (uint32_t count = 1000; count <= (b->full ? g->largest : 10000); count *= 10) {
        double seconds[3];
        for (int i = 0; i < 3; i++)
            seconds[i] =
                execute_take(b, g->build(count), b->slots, &s, (uint64_t)count * g->jobs_per);
        double each = median(seconds) / count * 1e6;
        first = count == 1000 ? each : first;
        snprintf(key, sizeof key, "runs_%s_%u_us_per_node", g->name, count);
        bench_report(b, key, each, "us", "%.2f times that of 1,000", each / first);
    }
}

void bench_row_runs(bench *b)
{
    static const growth all[] = {
        { "nodes", layers, 100000, 1 },
        { "width", fan, 100000, 1 },
        { "depth", chain, 100000, 1 },
        { "subdags", ones, 100000, 2 },
    };
    fans_and_chains(b);
    submission(b);
    nested(b);
    hierarchy(b);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        grow(b, &all[i]);
}
