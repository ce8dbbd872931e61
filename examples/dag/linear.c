/*
 * A line: extract, transform, load. Each step starts when the one before is done, and reads what that
 * left by its name.
 */
#include "steps.h"

static qk_status extract(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, "20", err);
}

static qk_status transform(qk_task *task, void *user, qk_error *err)
{
    const char *rows = NULL;
    char doubled[32];
    (void)user;
    qk_status rc = qk_task_upstream(&rows, task, "extract", err);
    if (rc)
        return rc;
    snprintf(doubled, sizeof(doubled), "%ld", 2 * strtol(rows, NULL, 10));
    return qk_task_result(task, doubled, err);
}

static qk_status load(qk_task *task, void *user, qk_error *err)
{
    const char *rows = NULL;
    (void)user;
    qk_status rc = qk_task_upstream(&rows, task, "transform", err);
    if (!rc)
        printf("loading %s rows\n", rows);
    return rc;
}

int main(int argc, char **argv)
{
    static const step etl[] = {
        { .name = "extract", .kind = "extract" },
        { .name = "transform", .kind = "transform", .after = { "extract" } },
        { .name = "load", .kind = "load", .after = { "transform" } },
    };
    static ability abilities[] = { { "extract", extract, NULL },
                                   { "transform", transform, NULL },
                                   { "load", load, NULL },
                                   { NULL, NULL, NULL } };
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "etl", STEPS(etl));
    execute(queue, run, abilities);
    show(queue, run);
    qk_queue_close(queue);
}
