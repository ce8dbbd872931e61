/*
 * Dynamic nodes: a running step adds steps to its own run, as many as it found work for. They come in
 * one commit, may depend on any step of the run by name, and the run ends when they have ended too.
 */
#include "steps.h"

static qk_status resize(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    printf("resizing %s\n", qk_task_payload(task));
    return qk_task_result(task, qk_task_payload(task), err);
}

static qk_status list(qk_task *task, void *user, qk_error *err)
{
    static const step found[] = {
        { .name = "cat", .kind = "resize", .payload = "\"cat.jpg\"", .after = { "list" } },
        { .name = "dog", .kind = "resize", .payload = "\"dog.jpg\"", .after = { "list" } },
        { .name = "album", .kind = "album", .after = { "cat", "dog", "cover" } },
    };
    qk_dag_options addition = QK_DAG_OPTIONS_INIT;
    qk_dag *more = NULL;
    (void)user;
    addition.addition = true; /* names that are not in it are steps of the run */
    qk_status rc = dag_of(&more, "what was found", &addition, STEPS(found), err);
    if (!rc)
        rc = qk_task_add_nodes(task, more, err);
    qk_dag_free(more);
    return rc;
}

static qk_status album(qk_task *task, void *user, qk_error *err)
{
    const char *all = NULL;
    (void)user;
    qk_status rc = qk_task_upstream_all(&all, task, err);
    if (!rc)
        printf("an album of %s\n", all);
    return rc;
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "list", list, NULL },
                                   { "resize", resize, NULL },
                                   { "album", album, NULL },
                                   { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "list", .kind = "list" },
        { .name = "cover", .kind = "resize", .payload = "\"cover.jpg\"" },
    };
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "holidays", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
    qk_queue_close(queue);
}
