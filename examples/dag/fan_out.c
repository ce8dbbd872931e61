/*
 * Fan-out and fan-in: one step for each of a hundred parts, and one that adds up what they left.
 */
#include "steps.h"

#define PARTS 100

static qk_status square(qk_task *task, void *user, qk_error *err)
{
    char text[32];
    long n = strtol(qk_task_payload(task), NULL, 10);
    (void)user;
    snprintf(text, sizeof(text), "%ld", n * n);
    return qk_task_result(task, text, err);
}

/* Parents can be had one after the other: there is no limit to their number. */
static qk_status sum(qk_task *task, void *user, qk_error *err)
{
    size_t count = 0;
    long total = 0;
    const char *part = NULL;
    (void)user;
    qk_status rc = qk_task_parent_count(&count, task, err);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = qk_task_upstream(&part, task, qk_task_parent(task, i), err);
        total += rc ? 0 : strtol(part, NULL, 10);
    }
    if (!rc)
        printf("the sum of %zu parts is %ld\n", count, total);
    return rc;
}

static void build(qk_dag *dag)
{
    char names[PARTS][20];
    const char *parts[PARTS];
    qk_error err = QK_ERROR_INIT;
    qk_node_options all = QK_NODE_OPTIONS_INIT;
    for (int i = 0; i < PARTS; i++) {
        char payload[20];
        snprintf(names[i], sizeof(names[i]), "part %d", i + 1);
        snprintf(payload, sizeof(payload), "%d", i + 1);
        parts[i] = names[i];
        check(qk_dag_add(dag, names[i], "square", payload, NULL, &err), &err);
    }
    all.after = parts;
    all.after_count = PARTS;
    check(qk_dag_add(dag, "sum", "sum", NULL, &all, &err), &err);
}

int main(int argc, char **argv)
{
    static ability abilities[] = { { "square", square, NULL },
                                   { "sum", sum, NULL },
                                   { NULL, NULL, NULL } };
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    qk_dag *dag = NULL;
    qk_levels *levels = NULL;
    qk_run_progress progress;
    qk_id run;
    check(qk_dag_new(&dag, "squares", NULL, &err), &err);
    build(dag);
    check(qk_dag_levels(&levels, dag, &err), &err);
    for (size_t i = 0; i < levels->count; i++)
        printf("level %zu: %zu nodes\n", i, levels->starts[i + 1] - levels->starts[i]);
    qk_levels_free(levels);
    check(qk_run_submit(&run, queue, dag, NULL, &err), &err);
    qk_dag_free(dag);
    check(qk_run_execute(queue, run, 4, learn, abilities, &err), &err);
    check(qk_run_progress_get(&progress, queue, run, &err), &err);
    printf("%d of %d done\n", (int)progress.counts[QK_JOB_DONE], (int)progress.total);
    qk_queue_close(queue);
}
