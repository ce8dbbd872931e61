/*
 * Nested sub-DAGs: a folder's sub-folders are sub-DAGs, to any depth. As waiting nodes hold no slot,
 * the one slot here finishes them all. A leaf at the bottom fails at first: the failure goes up level
 * by level, and the retry of the outermost run runs that leaf and what waited for it, nothing else.
 */
#include "steps.h"

static bool broken = true;

static qk_status scan(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    printf("scanning %s\n", qk_task_payload(task));
    if (broken && strcmp(qk_task_payload(task), "\"level 4\"") == 0)
        return fail_with(err, "permission denied");
    return QK_OK;
}

static qk_status build_folder(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    char label[32];
    (void)user;
    snprintf(label, sizeof(label), "\"level %d\"", call->depth);
    const step steps[] = {
        { .name = "files", .kind = "scan", .payload = label },
        { .name = "folder", .factory = "folder", .after = { "files" } },
    };
    return dag_of(out, "folder", NULL, steps, call->depth < 4 ? 2 : 1, err);
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "scan", scan, NULL },
                                   { "folder", NULL, build_folder },
                                   { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "root", .factory = "folder" },
        { .name = "summary", .kind = "scan", .payload = "\"the summary\"", .after = { "root" } },
    };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "tree", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);

    broken = false;
    printf("--- again\n");
    check(qk_run_retry(queue, run, &err), &err);
    execute(queue, run, abilities);
    show(queue, run);
    qk_queue_close(queue);
}
