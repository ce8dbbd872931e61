/*
 * The SQL executor: runs a job of the kind "sql" in a process of its database (sql_children.h).
 *
 * The slot's thread. It sends the payload on, passes progress back, and tells the process to
 * interrupt the statement when the job was cancelled or timed out; a process that does not yield is
 * killed. A process that dies fails the jobs it was at, unless it was killed for the sake of one
 * other: then they are given back, and so is a job whose database another process has.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sql/protocol.h"
#include "util/error.h"
#include "util/frame.h"
#include "util/json.h"
#include "worker/clean.h"
#include "worker/sql_children.h"
#include "worker/sql_values.h"

#define GRACE_US 5000000 /* between the interrupt and the kill */
#define STARTS_MAX 3 /* of processes that end before the task began */
#define BUSY_DELAY_S 1

typedef struct sql_task {
    qk__slot *slot;
    qk__sql_child *child;
    int fd;
    char *database, *folder; /* canonical; database "": in memory */
    char *request; /* with a workflow's values; NULL: the payload */
    bool started, told;
    int64_t kill_us; /* machine's clock */
} sql_task;

static void give_back(const sql_task *task, qk_outcome *outcome, const char *why)
{
    const qk_worker *pool = task->slot->pool;

    qk__log_write(pool->log, QK_LOG_WARN, "worker %s: an SQL task was put off: %s", pool->id, why);
    outcome->verdict = QK_VERDICT_NACK;
    outcome->delay = qk_seconds(BUSY_DELAY_S);
}

/* --- what the payload says --------------------------------------------------------------------- */

static qk_status take_path(const char **out, json_t *payload, const char *key, qk_error *err)
{
    json_t *value = json_object_get(payload, key);

    *out = json_string_value(value);
    if (!value || json_is_null(value))
        return QK_OK;
    if (!*out || !**out || strlen(*out) != json_string_length(value))
        return qk__error(err, QK_EINVAL, "payload of the SQL task: \"%s\" must be a path", key);
    return QK_OK;
}

static qk_status resolve_folder(sql_task *task, const char *given, qk_error *err)
{
    task->folder = realpath(given ? given : ".", NULL);
    if (!task->folder)
        return qk__error_errno(err, QK_EINVAL, errno,
                               "the SQL task cannot run in the folder %.300s", given ? given : ".");
    return QK_OK;
}

/* The file need not be there yet: its folder must. */
static qk_status resolve_database(sql_task *task, const char *given, qk_error *err)
{
    char *path = NULL, *folder = NULL;
    qk_status rc = QK_OK;

    if (!given || strcmp(given, ":memory:") == 0) {
        task->database = strdup("");
        return task->database ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
    }
    if (asprintf(&path, "%s%s%s", *given == '/' ? "" : task->folder, *given == '/' ? "" : "/",
                 given) < 0)
        return qk__error(err, QK_ENOMEM, "out of memory");
    task->database = realpath(path, NULL);
    if (!task->database) {
        char *slash = strrchr(path, '/');
        *slash = '\0';
        folder = realpath(*path ? path : "/", NULL);
        if (!folder || !slash[1])
            rc = qk__error_errno(err, QK_EINVAL, errno, "the folder of the database %.300s", given);
        else if (asprintf(&task->database, "%s/%s", strcmp(folder, "/") ? folder : "", slash + 1) <
                 0)
            rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    free(folder);
    free(path);
    return rc;
}

static qk_status read_payload(sql_task *task, const qk_claimed *claim, qk_error *err)
{
    json_error_t error;
    const char *database = NULL, *folder = NULL;
    json_t *payload =
        json_loadb(claim->payload, claim->payload_length,
                   JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    qk_status rc = QK_OK;

    if (!json_is_string(payload) && !json_is_string(json_object_get(payload, "sql")))
        rc = qk__error(err, QK_EINVAL,
                       "payload of the SQL task: it must be an object with \"sql\", or a string");
    if (rc == QK_OK)
        rc = take_path(&folder, payload, "cwd", err);
    if (rc == QK_OK)
        rc = take_path(&database, payload, "database", err);
    if (rc == QK_OK)
        rc = resolve_folder(task, folder, err);
    if (rc == QK_OK)
        rc = resolve_database(task, database, err);
    json_decref(payload);
    return rc;
}

/* Only what is wrong with the payload or a value will be wrong at the next attempt as well. */
static bool prepare(sql_task *task, qk_outcome *outcome)
{
    qk_error err = QK_ERROR_INIT;
    qk_status rc = read_payload(task, task->slot->task.claim, &err);

    if (rc == QK_OK)
        rc = qk__sql_request(&task->request, &task->slot->task, &err);
    if (rc == QK_EINVAL) {
        qk__outcome_fail(outcome, "%s", err.message);
        outcome->permanent = true;
    } else if (rc != QK_OK) {
        give_back(task, outcome, err.message);
    }
    return rc == QK_OK;
}

/* --- the conversation -------------------------------------------------------------------------- */

static void fail_masked(const sql_task *task, qk_outcome *outcome, const char *text)
{
    char *masked = task->request ? qk__sql_mask(&task->slot->task, text) : NULL;

    if (task->request && !masked)
        qk__outcome_fail(outcome, "the statement failed, and there is no memory for its message");
    else
        qk__outcome_fail(outcome, "%s", masked ? masked : text);
    free(masked);
}

static void fail_statement(const sql_task *task, qk_outcome *outcome, const char *text)
{
    if (qk__slot_cut_reason(task->slot) == QK__CUT_TIMEOUT)
        qk__outcome_fail(outcome, "timeout after %g s",
                         (double)task->slot->task.claim->timeout.us / 1e6);
    else
        fail_masked(task, outcome, text);
}

/* A result that is no JSON without its secrets (one is a number, say) is not kept. */
static void succeed(const sql_task *task, qk_outcome *outcome, qk__frame *frame)
{
    char *masked = task->request ? qk__sql_mask(&task->slot->task, frame->payload) : NULL;

    outcome->verdict = QK_VERDICT_ACK;
    if (!task->request) {
        outcome->result = frame->payload;
        frame->payload = NULL;
    } else if (masked && qk__json_check(masked, strlen(masked), NULL) == QK_OK) {
        outcome->result = masked;
        masked = NULL;
    } else {
        qk__outcome_fail(outcome, "the result holds a secret: leave it out of the last statement");
        outcome->permanent = true;
    }
    free(masked);
}

/* True once the outcome is known. Takes over what it needs of the frame. */
static bool take_answer(sql_task *task, qk_outcome *outcome, qk__frame *frame)
{
    switch (frame->type) {
    case QK__SQL_STARTED:
        task->started = true;
        return false;
    case QK__SQL_PROGRESS:
        qk_task_progress(&task->slot->task, strtod(frame->payload, NULL), NULL, NULL);
        return false;
    case QK__SQL_RESULT:
        succeed(task, outcome, frame);
        return true;
    case QK__SQL_BUSY:
        give_back(task, outcome, frame->payload);
        return true;
    default:
        fail_statement(task, outcome, frame->payload);
        return true;
    }
}

/* Cancelled or timed out: first asks, then kills. How long to wait at most, in ms. */
static int press(sql_task *task)
{
    int64_t now = qk__machine_us();

    if (!atomic_load(&task->slot->task.cancelled))
        return 1000;
    if (!task->told) {
        qk__frame_send(task->fd, QK__SQL_CANCEL, "", 0, NULL);
        task->told = true;
        task->kill_us = now + GRACE_US;
    }
    if (now < task->kill_us)
        return (int)((task->kill_us - now) / 1000) + 1;
    qk__sql_child_kill(task->slot->pool->sql, task->child);
    task->kill_us = INT64_MAX;
    return 1000;
}

/* The process is gone. False: before it began, so that another may be tried. */
static bool mourn(sql_task *task, qk_outcome *outcome)
{
    char text[128];
    bool killed = qk__sql_child_ended(task->slot->pool->sql, task->child, text, sizeof(text));

    if (task->told)
        fail_statement(task, outcome, "the statement did not yield, and its process was killed");
    else if (killed)
        give_back(task, outcome, "its process was killed because another statement did not yield");
    else if (task->started)
        qk__outcome_fail(outcome, "the SQL process ended while the statement ran: %s", text);
    else
        return false;
    return true;
}

/* False: the process ended before it began. */
static bool converse(sql_task *task, qk_outcome *outcome)
{
    size_t max = task->slot->pool->max_payload + QK__SQL_ANSWER_ROOM;

    for (;;) {
        struct pollfd fds[2] = {
            { .fd = task->fd, .events = POLLIN },
            { .fd = task->told ? -1 : task->slot->wake_fd, .events = POLLIN },
        };
        qk__frame frame;
        if (poll(fds, 2, press(task)) <= 0 || !fds[0].revents)
            continue;
        if (qk__frame_receive(&frame, task->fd, max, NULL) != QK_OK)
            return mourn(task, outcome);
        bool known = take_answer(task, outcome, &frame);
        free(frame.payload);
        if (known)
            return true;
    }
}

static bool run_once(sql_task *task, qk_outcome *outcome)
{
    qk__sql_children *children = task->slot->pool->sql;
    const qk_claimed *claim = task->slot->task.claim;
    qk_error err = QK_ERROR_INIT;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): qk__sql_run frees database and folder */
    qk_status rc =
        qk__sql_child_task(&task->child, &task->fd, children, task->database, task->folder, &err);

    if (rc == QK_EREFUSED) {
        qk__outcome_fail(outcome, "%s", err.message);
        outcome->permanent = true;
    } else if (rc != QK_OK) {
        give_back(task, outcome, err.message);
    }
    if (rc != QK_OK)
        return true;
    task->started = task->told = false;
    /* If it cannot take this in it is gone, which the conversation will notice. */
    (void)qk__frame_send(task->fd, QK__SQL_REQUEST, task->request ? task->request : claim->payload,
                         task->request ? strlen(task->request) : claim->payload_length, NULL);
    bool known = converse(task, outcome);
    close(task->fd);
    qk__sql_child_release(children, task->child);
    return known;
}

void qk__sql_run(qk__slot *slot, qk_outcome *outcome)
{
    sql_task task = { .slot = slot, .fd = -1 };
    bool known = !prepare(&task, outcome);

    for (int starts = 0; !known && starts < STARTS_MAX; starts++)
        known = run_once(&task, outcome);
    if (!known)
        qk__outcome_fail(outcome, "no SQL process could be started: try %s by hand", "queuack-sql");
    free(task.database);
    free(task.folder);
    free(task.request);
}
