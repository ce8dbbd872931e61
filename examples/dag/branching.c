/*
 * Branching: `when` is a condition on what a step's parents left. The branch that is not taken is
 * skipped with the reason `condition`, and with it what only it leads to; a step in mode none_failed
 * brings the branches together again.
 */
#include "steps.h"

/* What the payload says is what it found. */
static qk_status measure(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, qk_task_payload(task), err);
}

static qk_status say(qk_task *task, void *user, qk_error *err)
{
    (void)user, (void)err;
    printf("%s\n", qk_task_node(task));
    return QK_OK;
}

static void import(qk_queue *queue, const char *found)
{
    static ability abilities[] = { { "measure", measure, NULL },
                                   { "say", say, NULL },
                                   { NULL, NULL, NULL } };
    const step steps[] = {
        { .name = "measure", .kind = "measure", .payload = found },
        { .name = "in bulk", .kind = "say", .after = { "measure" }, .when = "measure.rows > 1000" },
        { .name = "sort", .kind = "say", .after = { "in bulk" } },
        { .name = "one by one",
          .kind = "say",
          .after = { "measure" },
          .when = "measure.rows <= 1000 and 'csv' in measure.formats" },
        { .name = "publish",
          .kind = "say",
          .after = { "sort", "one by one" },
          .mode = QK_MODE_NONE_FAILED },
    };
    qk_id run = submit(queue, "import", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
}

int main(int argc, char **argv)
{
    qk_queue *queue = open_store(argc, argv, NULL);
    import(queue, "{\"rows\":50000,\"formats\":[\"csv\"]}");
    import(queue, "{\"rows\":7,\"formats\":[\"json\",\"csv\"]}");
    qk_queue_close(queue);
}
