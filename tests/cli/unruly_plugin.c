/*
 * A plugin that does what plugins must not, one kind for each: see test_plugin.sh.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <queuack/plugin.h>

static qk_status crash(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    raise(SIGSEGV);
    return QK_OK;
}

static qk_status leave(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    exit(3);
}

static int deeper(int depth)
{
    volatile char room[65536];
    room[0] = (char)depth;
    return depth < 0 ? 0 : deeper(depth + 1) + room[0];
}

static qk_status overflow(qk_task *task, void *user, qk_error *err)
{
    (void)task, (void)user, (void)err;
    return deeper(0) ? QK_OK : QK_EINTERNAL;
}

/* Says that it is there, in a file named by the payload, and never returns. */
static qk_status stick(qk_task *task, void *user, qk_error *err)
{
    char path[512];
    (void)user, (void)err;
    snprintf(path, sizeof(path), "%.*s", (int)strlen(qk_task_payload(task)) - 2,
             qk_task_payload(task) + 1);
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "%d\n", (int)getpid());
        fclose(file);
    }
    for (;;)
        pause();
}

static qk_status obey(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    while (!qk_task_cancelled(task))
        usleep(1000);
    snprintf(err->message, sizeof(err->message), "was told to stop");
    return QK_EINTERRUPTED;
}

/* Everything that a task can ask for, through the process that it is in. */
static qk_status use(qk_task *task, void *user, qk_error *err)
{
    qk_id id;
    char json[256], text[QK_ID_TEXT_SIZE];
    (void)user;
    qk_status rc = qk_task_progress(task, 0.5, "half", err);
    if (!rc)
        rc = qk_enqueue(&id, qk_task_queue(task), "made", "{}", NULL, err);
    if (rc)
        return rc;
    puts("said by a plugin");
    snprintf(json, sizeof(json), "{\"made\":\"%s\",\"attempt\":%d,\"pid\":%d}",
             qk_id_format(text, id), (int)qk_task_attempt(task), (int)getpid());
    return qk_task_result(task, json, err);
}

static qk_status fine(qk_task *task, void *user, qk_error *err)
{
    return qk_task_result(task, qk_task_payload(task), err);
    (void)user;
}

static qk_status open_unruly(void **state, qk_worker *worker, qk_error *err)
{
    static const struct {
        const char *kind;
        qk_handler_fn fn;
    } all[] = { { "crash", crash }, { "leave", leave }, { "overflow", overflow },
                { "stick", stick }, { "obey", obey },   { "use", use },
                { "fine", fine } };
    (void)state;
    if (getenv("UNRULY_OPEN"))
        abort();
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        qk_status rc = qk_worker_handle(worker, all[i].kind, all[i].fn, NULL, err);
        if (rc)
            return rc;
    }
    return QK_OK;
}

static void close_unruly(void *state)
{
    const char *path = getenv("UNRULY_CLOSE");
    FILE *file = path ? fopen(path, "a") : NULL;
    (void)state;
    if (file) {
        fputs("closed\n", file);
        fclose(file);
    }
}

QK_PLUGIN("unruly", open_unruly, close_unruly);
