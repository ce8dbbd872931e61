/*
 * A sub-DAG in another store: a node names it by an alias that was given when the queue was opened.
 * The run is made there, a worker of that store runs it, and the node waits without a slot. What it
 * left is the node's result here.
 */
#include "steps.h"

static qk_status work(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    printf("%s: %s\n", qk_queue_path(qk_task_queue(task)), qk_task_node(task));
    return qk_task_result(task, "{\"rows\":7}", err);
}

static qk_status report(qk_task *task, void *user, qk_error *err)
{
    const char *there = NULL;
    (void)user;
    qk_status rc = qk_task_upstream(&there, task, "heavy", err);
    if (!rc)
        printf("report sees %s\n", there);
    return rc;
}

static qk_status build_heavy(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    static const step steps[] = {
        { .name = "fit", .kind = "work" },
        { .name = "score", .kind = "work", .after = { "fit" } },
    };
    (void)call, (void)user;
    return dag_of(out, "heavy", NULL, STEPS(steps), err);
}

int main(void)
{
    static ability abilities[] = { { "work", work, NULL },
                                   { "report", report, NULL },
                                   { "heavy", NULL, build_heavy },
                                   { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "light", .kind = "work" },
        { .name = "heavy", .factory = "heavy", .store = "gpu", .after = { "light" } },
        { .name = "report", .kind = "report", .after = { "heavy" } },
    };
    const qk_store_alias gpu = { "gpu", "gpu.duckdb" };
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_worker_options one = QK_WORKER_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL, *there = NULL;
    qk_worker *worker = NULL;
    options.stores = &gpu;
    options.store_count = 1;
    check(qk_queue_open(&queue, "cpu.duckdb", &options, &err), &err);
    check(qk_queue_other(&there, queue, "gpu", &err), &err);
    one.concurrency = 1;
    check(qk_worker_open(&worker, there, &one, &err), &err);
    check(learn(worker, abilities, &err), &err);
    check(qk_worker_start(worker, &err), &err);

    qk_id run = submit(queue, "cross", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
    qk_worker_close(worker);
    qk_queue_close(queue); /* closes the other store as well */
}
