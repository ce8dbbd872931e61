/*
 * A sub-DAG: a node whose work is a run of its own. A factory builds it when the node is ready and is
 * told whose work it is. Meanwhile the node holds no slot and no lease; it is done when its run is, and
 * its result is the map of what the run's last steps left.
 */
#include "steps.h"

static qk_status work(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, qk_task_payload(task), err);
}

/* `params` say for which region. */
static qk_status build_training(qk_dag **out, const qk_factory_call *call, void *user,
                                qk_error *err)
{
    const step steps[] = {
        { .name = "prepare", .kind = "work" },
        { .name = "linear", .kind = "work", .payload = "{\"error\":0.2}", .after = { "prepare" } },
        { .name = "forest", .kind = "work", .payload = "{\"error\":0.1}", .after = { "prepare" } },
    };
    char name[64];
    (void)user;
    printf("building the DAG of node %s with %s, at depth %d\n", call->node, call->params,
           call->depth);
    snprintf(name, sizeof(name), "training %.50s", call->params);
    return dag_of(out, name, NULL, STEPS(steps), err);
}

static qk_status report(qk_task *task, void *user, qk_error *err)
{
    const char *all = NULL;
    (void)user;
    qk_status rc = qk_task_upstream_all(&all, task, err);
    if (!rc)
        printf("report: %s\n", all);
    return rc;
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "work", work, NULL },
                                   { "training", NULL, build_training },
                                   { "report", report, NULL },
                                   { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "north", .factory = "training", .payload = "\"north\"" },
        { .name = "south", .factory = "training", .payload = "\"south\"" },
        { .name = "report", .kind = "report", .after = { "north", "south" } },
    };
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "models", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
    qk_queue_close(queue);
}
