/*
 * A fallback: a step in mode `any` starts at the first of its parents that is done, and does not mind
 * that others failed. Only when none is left that could be done is it skipped.
 */
#include "steps.h"

static qk_status fetch(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    if (strcmp(qk_task_payload(task), "\"up\"") != 0)
        return fail_with(err, "no answer");
    return qk_task_result(task, "{\"rows\":12}", err);
}

static qk_status load(qk_task *task, void *user, qk_error *err)
{
    const char *source = NULL, *rows = NULL;
    (void)user;
    qk_status rc = qk_task_upstream_any(&source, &rows, task, err);
    if (!rc)
        printf("loading %s from the %s\n", rows, source);
    return rc;
}

static void load_from(qk_queue *queue, const char *name, const char *site, const char *mirror)
{
    const step steps[] = {
        { .name = "site", .kind = "fetch", .payload = site },
        { .name = "mirror", .kind = "fetch", .payload = mirror },
        { .name = "load", .kind = "load", .after = { "site", "mirror" }, .mode = QK_MODE_ANY },
    };
    static ability abilities[] = { { "fetch", fetch, NULL },
                                   { "load", load, NULL },
                                   { NULL, NULL, NULL } };
    qk_id run = submit(queue, name, STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
}

int main(int argc, char **argv)
{
    qk_queue *queue = open_store(argc, argv, NULL);
    load_from(queue, "the mirror helps", "\"down\"", "\"up\"");
    load_from(queue, "nothing helps", "\"down\"", "\"down\"");
    qk_queue_close(queue);
}
