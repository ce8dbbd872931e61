/*
 * The context of a task: what a running handler can ask for, about itself and about its parents.
 * What it is handed lives until it returns.
 */
#include "steps.h"

/* Functions deep below a handler need no task handed down. */
static void log_line(const char *what, const char *text)
{
    const qk_task *task = qk_task_current();
    printf("[%s] %s: %s\n", qk_task_node(task), what, text ? text : "(none)");
}

static qk_status leave(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    if (strcmp(qk_task_payload(task), "\"fails\"") == 0)
        return fail_with(err, "as asked");
    return qk_task_result(task, qk_task_payload(task), err);
}

static qk_status ask_parents(qk_task *task, qk_error *err)
{
    const char *text = NULL, *name = NULL;
    qk_status rc = qk_task_upstream(&text, task, "users", err);
    if (rc)
        return rc;
    log_line("users left", text);
    if (qk_task_upstream(&text, task, "orders", err) == QK_ESTATE)
        log_line("orders", err->message);
    rc = qk_task_upstream_or(&text, task, "orders", "[]", err);
    log_line("orders, or else", text);
    if (!rc)
        rc = qk_task_upstream_all(&text, task, err);
    log_line("all", text);
    if (!rc)
        rc = qk_task_upstream_completed(&text, task, err);
    log_line("those that are done", text);
    if (!rc)
        rc = qk_task_upstream_any(&name, &text, task, err);
    log_line("one that is done", name);
    log_line("is orders done?", qk_task_has_upstream(task, "orders") ? "yes" : "no");
    return rc;
}

static qk_status report(qk_task *task, void *user, qk_error *err)
{
    char id[QK_ID_TEXT_SIZE];
    size_t parents = 0;
    (void)user;
    log_line("job", qk_id_format(id, qk_task_job_id(task)));
    log_line("run", qk_id_format(id, qk_task_run_id(task)));
    printf("[%s] attempt %d\n", qk_task_node(task), (int)qk_task_attempt(task));
    qk_status rc = qk_task_parent_count(&parents, task, err);
    for (size_t i = 0; !rc && i < parents; i++)
        log_line("parent", qk_task_parent(task, i));
    if (!rc)
        rc = ask_parents(task, err);
    if (!rc)
        rc = qk_task_progress(task, 0.5, "half way", err);
    log_line("cancelled?", qk_task_cancelled(task) ? "yes" : "no");
    return rc;
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "leave", leave, NULL },
                                   { "report", report, NULL },
                                   { NULL, NULL, NULL } };
    static const step steps[] = {
        { .name = "users", .kind = "leave", .payload = "{\"count\":3}" },
        { .name = "orders", .kind = "leave", .payload = "\"fails\"" },
        { .name = "report",
          .kind = "report",
          .after = { "users", "orders" },
          .mode = QK_MODE_ALL_DONE },
    };
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_id run = submit(queue, "context", STEPS(steps));
    execute(queue, run, abilities);
    qk_queue_close(queue);
}
