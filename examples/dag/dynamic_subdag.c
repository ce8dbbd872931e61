/*
 * A dynamic sub-DAG: a step returns a definition (docs/dag-json.md) as its result, and the next node
 * runs it. What is no DAG fails that node, with what is wrong in the words of a person.
 */
#include "steps.h"

static const char good[] = "{\"name\":\"two tables\",\"nodes\":["
                           "{\"name\":\"users\",\"kind\":\"copy\",\"payload\":\"users\"},"
                           "{\"name\":\"orders\",\"kind\":\"copy\",\"payload\":\"orders\","
                           "\"needs\":[\"users\"]}]}";
static const char bad[] = "{\"name\":\"two tables\",\"nodes\":["
                          "{\"name\":\"users\",\"kind\":\"copy\",\"needs\":[\"orders\"]},"
                          "{\"name\":\"orders\",\"kind\":\"copy\",\"needs\":[\"users\"]}]}";

static qk_status plan(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, strcmp(qk_task_payload(task), "\"well\"") == 0 ? good : bad, err);
}

static qk_status copy(qk_task *task, void *user, qk_error *err)
{
    (void)user, (void)err;
    printf("copying %s\n", qk_task_payload(task));
    return QK_OK;
}

static void migrate(qk_queue *queue, const char *how)
{
    static ability abilities[] = { { "plan", plan, NULL },
                                   { "copy", copy, NULL },
                                   { NULL, NULL, NULL } };
    const step steps[] = {
        { .name = "plan", .kind = "plan", .payload = how },
        { .name = "copies", .dag_from = "plan" },
        { .name = "check", .kind = "copy", .payload = "\"nothing more\"", .after = { "copies" } },
    };
    qk_id run = submit(queue, "migration", STEPS(steps));
    execute(queue, run, abilities);
    show(queue, run);
}

int main(int argc, char **argv)
{
    qk_queue *queue = open_store(argc, argv, NULL);
    migrate(queue, "\"well\"");
    migrate(queue, "\"in a circle\"");
    qk_queue_close(queue);
}
