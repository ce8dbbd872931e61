/*
 * Handlers of plugins in processes of their own; see hosted.h.
 */
#include "worker/hosted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "util/error.h"
#include "util/json.h"
#include "worker/clean.h"

static void put_claim(qk__buffer *out, const qk_claimed *claim, int64_t number)
{
    size_t began = qk__message_begin(out, QK__HOST_RUN);

    qk__message_number(out, number);
    qk__message_text(out, claim->kind);
    qk__message_text(out, claim->queue);
    qk__message_text(out, claim->payload);
    qk__message_text(out, claim->name);
    qk__message_text(out, claim->node_name);
    qk__message_text(out, claim->lease.worker_id);
    qk__message_id(out, claim->lease.job);
    qk__message_number(out, claim->lease.attempt);
    qk__message_id(out, claim->run_id);
    qk__message_number(out, claim->run_depth);
    qk__message_number(out, claim->attempts);
    qk__message_number(out, claim->max_attempts);
    qk__message_number(out, claim->timeout.us);
    qk__message_number(out, claim->claimed_at.us);
    qk__message_number(out, claim->strict);
    qk__message_end(out, began);
}

static void fail(qk_outcome *outcome, const char *text)
{
    outcome->verdict = QK_VERDICT_FAIL;
    outcome->error = qk__clean_string(text);
}

/* Its process could not be had: no fault of the job's. */
static void not_started(qk_outcome *outcome, const qk_worker *pool, const qk_error *err)
{
    qk__log_write(pool->log, QK_LOG_WARN, "worker %s: %s", pool->id, err->message);
    outcome->verdict = QK_VERDICT_NACK;
    outcome->delay = qk_seconds(1);
}

static void crashed(qk_outcome *outcome, const qk__hosted *hosted, const qk_claimed *claim,
                    int status)
{
    char end[96], text[160];

    qk__hosted_describe(end, sizeof(end), status);
    snprintf(text, sizeof(text), "the handler ended its process: %s", end);
    fail(outcome, text);
    outcome->has_exit_code = status >= 0;
    if (status >= 0)
        outcome->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    qk__log_write(hosted->pool->log, QK_LOG_WARN, "worker %s: plugin %s: kind %s: %s",
                  hosted->pool->id, hosted->path, claim->kind, text);
}

/* False: the answer makes no sense. */
static bool read_outcome(qk_outcome *outcome, const qk__host *host, size_t max_payload)
{
    qk__host_op op;
    qk__message_rest reading = qk__message_read(&host->link.in, &op);
    int64_t code = qk__take_number(&reading);
    const char *error = qk__take_text(&reading), *result = qk__take_text(&reading);

    outcome->permanent = qk__take_number(&reading) != 0;
    if (reading.bad || op != QK__HOST_END)
        return false;
    if (code != QK_OK) {
        fail(outcome, error ? error : qk_status_text((qk_status)code));
        return true;
    }
    if (result &&
        (strlen(result) > max_payload || qk__json_check(result, strlen(result), NULL) != QK_OK))
        return false;
    char *copy = result ? strdup(result) : NULL;
    if (result && !copy) {
        fail(outcome, "out of memory for the result");
        return true;
    }
    outcome->verdict = QK_VERDICT_ACK;
    outcome->result = copy;
    return true;
}

static void run_in(qk__host *host, qk__slot *slot, qk__hosted *hosted, qk_outcome *outcome)
{
    const qk_claimed *claim = slot->task.claim;
    qk__buffer out;
    int64_t number = qk__hosted_number(hosted);

    qk__buffer_init(&out, qk__hosted_longest(hosted->pool));
    put_claim(&out, claim, number);
    const qk__host_call call = { .out = &out,
                                 .cancelled = &slot->task.cancelled,
                                 .cancel_fd = slot->wake_fd,
                                 .number = number };
    atomic_store(&slot->pid, host->pid);
    bool answered = qk__host_ask(host, &call);
    atomic_store(&slot->pid, 0);
    qk__buffer_dispose(&out);
    if (answered && read_outcome(outcome, host, hosted->pool->max_payload))
        qk__hosted_give_back(hosted, host);
    else
        crashed(outcome, hosted, claim, qk__host_reap(host));
}

void qk__hosted_run(qk__slot *slot, qk_outcome *outcome)
{
    qk__hosted *hosted = slot->handler->hosted;
    qk_error err = QK_ERROR_INIT;
    qk__host *host = NULL;
    char text[64];

    if (qk__hosted_take(&host, hosted, &err) != QK_OK) {
        not_started(outcome, hosted->pool, &err);
        return;
    }
    run_in(host, slot, hosted, outcome);
    if (qk__slot_cut_reason(slot) != QK__CUT_TIMEOUT)
        return;
    qk__outcome_dispose(outcome);
    snprintf(text, sizeof(text), "timeout after %g s", (double)slot->task.claim->timeout.us / 1e6);
    fail(outcome, text);
}

static void put_build(qk__buffer *out, const char *name, const qk_factory_call *call,
                      int64_t number)
{
    size_t began = qk__message_begin(out, QK__HOST_BUILD);

    qk__message_number(out, number);
    qk__message_text(out, name);
    qk__message_id(out, call->parent_job);
    qk__message_id(out, call->run);
    qk__message_text(out, call->node);
    qk__message_text(out, call->params);
    qk__message_number(out, call->depth);
    qk__message_end(out, began);
}

static qk_status read_dag(qk_dag **out, const qk__host *host, const qk_factory_call *call,
                          qk_error *err)
{
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    qk__host_op op;
    qk__message_rest reading = qk__message_read(&host->link.in, &op);
    qk_status code = (qk_status)qk__take_number(&reading);
    const char *error = qk__take_text(&reading), *text = qk__take_text(&reading);

    if (reading.bad || op != QK__HOST_END || (code == QK_OK && !text))
        return qk__error(err, QK_EINTERNAL, "the plugin's process gives no sensible answer");
    if (code != QK_OK)
        return qk__error(err, code, "%s", error ? error : qk_status_text(code));
    options.name = call->node ? call->node : "sub-DAG";
    return qk_dag_from_json(out, text, strlen(text), &options, err);
}

/* A factory, on a slot's thread. */
qk_status qk__hosted_build(qk_dag **out, const qk_factory_call *what, void *user, qk_error *err)
{
    qk__hosted_factory *factory = user;
    qk__hosted *hosted = factory->hosted;
    qk__slot *slot = qk_task_current()->slot;
    qk__host *host = NULL;
    qk__buffer message;
    char text[96];
    qk_status rc = qk__hosted_take(&host, hosted, err);

    if (rc != QK_OK)
        return rc == QK_EINVAL ? qk__error(err, QK_EIO, "the plugin cannot be loaded now") : rc;
    qk__buffer_init(&message, qk__hosted_longest(hosted->pool));
    int64_t number = qk__hosted_number(hosted);
    put_build(&message, factory->name, what, number);
    const qk__host_call call = { .out = &message,
                                 .cancelled = &slot->task.cancelled,
                                 .cancel_fd = slot->wake_fd,
                                 .number = number };
    bool answered = qk__host_ask(host, &call);
    qk__buffer_dispose(&message);
    if (answered) {
        rc = read_dag(out, host, what, err);
        qk__hosted_give_back(hosted, host);
        return rc;
    }
    qk__hosted_describe(text, sizeof(text), qk__host_reap(host));
    return qk__error(err, QK_EJOBFAILED, "the factory %s ended its process: %s", factory->name,
                     text);
}
