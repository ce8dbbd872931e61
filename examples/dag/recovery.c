/*
 * Error recovery: what happens beside a failure, and how a run goes on once its cause is gone.
 *
 * The alarm is raised because something failed, the lock is released whatever happened, and a step
 * whose failure does not matter (continue_on_failure) stops nobody. The retry runs what is unfinished
 * and nothing else: not the extract, which is done, and not the alarm a second time.
 */
#include "steps.h"

static bool disk_full = true;

static qk_status run_step(qk_task *task, void *user, qk_error *err)
{
    const char *node = qk_task_node(task);
    (void)user;
    printf("running %s, attempt %d\n", node, (int)qk_task_attempt(task));
    if (disk_full && strcmp(node, "load") == 0)
        return fail_with(err, "no space left on device");
    if (strcmp(node, "statistics") == 0)
        return fail_with(err, "too few rows");
    return QK_OK;
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "step", run_step, NULL }, { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "extract", .kind = "step" },
        { .name = "statistics",
          .kind = "step",
          .after = { "extract" },
          .continue_on_failure = true },
        { .name = "load", .kind = "step", .after = { "extract", "statistics" } },
        { .name = "publish", .kind = "step", .after = { "load" } },
        { .name = "alarm", .kind = "step", .after = { "load" }, .mode = QK_MODE_ONE_FAILED },
        { .name = "unlock", .kind = "step", .after = { "publish" }, .mode = QK_MODE_ALL_DONE },
    };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "nightly", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);

    disk_full = false;
    printf("--- the disk has room again\n");
    check(qk_run_retry(queue, run, &err), &err);
    execute(queue, run, abilities);
    show(queue, run);
    qk_queue_close(queue);
}
