/*
 * A dependency outside: the run waits for a job that somebody else has put in the queue. Such a job
 * may be of any run or of none; if it has ended already it counts at once.
 */
#include "steps.h"

static qk_status say(qk_task *task, void *user, qk_error *err)
{
    const char *name = qk_task_node(task) ? qk_task_node(task) : qk_task_claim(task)->name;
    (void)user, (void)err;
    printf("running %s\n", name);
    return QK_OK;
}

/* A worker takes whatever there is, in one slot, until nothing is left. */
static void work(qk_queue *queue)
{
    static ability abilities[] = { { "say", say, NULL }, { NULL, NULL, NULL } };
    qk_error err = QK_ERROR_INIT;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    qk_worker *worker = NULL;
    options.drain = true;
    options.concurrency = 1;
    check(qk_worker_open(&worker, queue, &options, &err), &err);
    check(learn(worker, abilities, &err), &err);
    check(qk_worker_run(worker, &err), &err);
    qk_worker_close(worker);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id upload;
    qk_job_options low = QK_JOB_OPTIONS_INIT;
    low.priority = 0; /* last of all, were it not for those that wait for it */
    low.name = "upload";
    check(qk_enqueue(&upload, queue, "say", NULL, &low, &err), &err);

    const step steps[] = {
        { .name = "prepare", .kind = "say" },
        { .name = "import", .kind = "say", .after = { "prepare" }, .needs = upload },
    };
    qk_id first = submit(queue, "nightly", STEPS(steps));
    show(queue, first);
    work(queue);
    show(queue, first);

    qk_id second = submit(queue, "again", STEPS(steps)); /* the upload is done */
    execute(queue, second, (ability[]){ { "say", say, NULL }, { NULL, NULL, NULL } });
    show(queue, second);
    qk_queue_close(queue);
}
