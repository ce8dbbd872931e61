/*
 * The command executor: runs a program for a job of the kind "command", or of a kind that a program
 * handles (command_spec.h). No shell, and nothing is put into a command line.
 *
 * The slot's thread. Exit code 0 completes the job; its result is what the command wrote to
 * $QUEUACK_RESULT, else the last line of its output if that is a JSON object or array. Anything else
 * fails the attempt. A command that times out or is cancelled is killed with its group and reported
 * after its end, so that no two attempts run side by side.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"
#include "util/json.h"
#include "worker/clean.h"
#include "worker/command_env.h"
#include "worker/command_spec.h"
#include "worker/logs.h"
#include "worker/process.h"
#include "worker/procs.h"

#define PROGRESS_MAX ((size_t)1 << 20) /* of the progress file; more is not looked at */
#define ERROR_LINE_MAX 300

typedef struct command {
    qk__slot *slot;
    const qk_claimed *claim;
    qk__command_spec spec;
    qk__command_env env;
    qk__log_file log;
    size_t progress_seen; /* bytes of the progress file */
    bool timed; /* when the process started has been noted */
} command;

/* "0.4 message": reports it; what is not a number from 0 to 1 is ignored. */
static void report_progress(command *command, char *line)
{
    char *rest;
    double fraction = strtod(line, &rest);

    if (rest == line || !(fraction >= 0 && fraction <= 1))
        return;
    rest += strspn(rest, " \t");
    qk_task_progress(&command->slot->task, fraction, *rest ? rest : NULL, NULL);
}

/* Reports the last whole line that came since the last look. */
static void look_at_progress(command *command)
{
    char *text = NULL;
    size_t length = 0;

    if (qk__command_file_read(&text, &length, command->env.progress_path, PROGRESS_MAX, NULL) !=
        QK_OK)
        return;
    while (length > command->progress_seen && text[length - 1] != '\n')
        length--;
    if (length > command->progress_seen) {
        command->progress_seen = length;
        text[length - 1] = '\0';
        char *line = strrchr(text, '\n');
        report_progress(command, line ? line + 1 : text);
    }
    free(text);
}

static void on_started(void *user, pid_t pid)
{
    const command *command = user;
    qk__slot *slot = command->slot;

    atomic_store(&slot->pid, pid);
    qk__procs_started(slot->pool->procs, slot->index, pid);
}

static void on_tick(void *user, const qk__process_end *so_far)
{
    command *command = user;
    qk__slot *slot = command->slot;

    /* Not at its start: most commands are gone by now. */
    if (!command->timed)
        qk__procs_timed(slot->pool->procs, slot->index,
                        qk__process_started(atomic_load(&slot->pid)));
    command->timed = true;
    look_at_progress(command);
    qk__log_file_sync(&command->log, &so_far->out, &so_far->err);
}

/* In a file the command wrote, as in its output. */
static qk_status mask_result(char **text, size_t *length, const qk__secrets *secrets)
{
    qk__buffer masked, held;
    if (secrets->count == 0)
        return QK_OK;
    qk__buffer_init(&masked, SIZE_MAX / 2);
    qk__buffer_init(&held, SIZE_MAX / 2);
    bool good = qk__mask(&masked, &held, secrets, *text, *length, true);
    qk__buffer_dispose(&held);
    free(*text);
    *length = masked.length;
    *text = good ? qk__buffer_take(&masked) : NULL;
    qk__buffer_dispose(&masked);
    return *text ? QK_OK : QK_ENOMEM;
}

/* The result the command wrote. QK_EMPTY: none. */
static qk_status result_from_file(char **out, const command *command, qk_error *err)
{
    size_t length = 0;
    qk_status rc = qk__command_file_read(out, &length, command->env.result_path,
                                         command->slot->pool->max_payload, err);

    while (rc == QK_OK && length > 0 && strchr(" \t\r\n", (*out)[length - 1]))
        (*out)[--length] = '\0';
    if (rc == QK_OK && length == 0)
        rc = QK_EMPTY;
    if (rc == QK_OK)
        rc = mask_result(out, &length, &command->spec.secrets);
    if (rc == QK_OK)
        rc = qk__json_check(*out, length, err);
    return rc;
}

/* The last line of the output, if it is a JSON object or array. */
static char *result_from_output(const command *command, const qk__process_end *end)
{
    size_t length = 0;
    char *line = qk__stream_last_line(&end->out, &length);

    if (line && (line[0] == '{' || line[0] == '[') && length <= command->slot->pool->max_payload &&
        qk__json_check(line, length, NULL) == QK_OK)
        return line;
    free(line);
    return NULL;
}

static void succeed(qk_outcome *outcome, const command *command, const qk__process_end *end)
{
    qk_error err = QK_ERROR_INIT;
    char *result = NULL;
    qk_status rc = result_from_file(&result, command, &err);

    if (rc != QK_OK) {
        free(result);
        result = NULL;
    }
    if (rc == QK_EMPTY)
        result = result_from_output(command, end);
    else if (rc != QK_OK) {
        qk__outcome_fail(outcome, "the result file is not usable: %s", err.message);
        return;
    }
    outcome->verdict = QK_VERDICT_ACK;
    outcome->result = result;
}

static const char *limit_hint(const command *command, int signal)
{
    if (signal == SIGXCPU && command->spec.limits.cpu_seconds)
        return ": it used up its processor time";
    if (signal == SIGXFSZ && command->spec.limits.file_size)
        return ": it wrote a file larger than its limit";
    return "";
}

static void fail_exit(qk_outcome *outcome, const command *command, const qk__process_end *end)
{
    size_t length = 0;
    char *line = qk__stream_last_line(&end->err, &length);
    const char *name = end->signal ? sigabbrev_np(end->signal) : NULL;

    if (!end->known)
        qk__outcome_fail(outcome,
                         "its exit code is lost: the application ignores SIGCHLD or reaps all "
                         "children");
    else if (end->signal)
        qk__outcome_fail(outcome, "killed by signal %d (SIG%s)%s", end->signal, name ? name : "?",
                         limit_hint(command, end->signal));
    else if (line)
        qk__outcome_fail(outcome, "exit code %d: %.*s", end->exit_code, ERROR_LINE_MAX, line);
    else
        qk__outcome_fail(outcome, "exit code %d", end->exit_code);
    free(line);
}

static void judge(qk_outcome *outcome, const command *command, const qk__process_end *end)
{
    size_t length;
    const char *log = qk__tail_view(&end->log, &length);

    outcome->has_exit_code = end->known;
    outcome->exit_code = end->exit_code;
    if (length > 0)
        outcome->log_tail = qk__clean_copy(log, length, QK__LOG_TAIL);
    if (qk__slot_cut_reason(command->slot) == QK__CUT_TIMEOUT)
        qk__outcome_fail(outcome, "timeout after %g s", (double)command->claim->timeout.us / 1e6);
    else if (end->known && end->signal == 0 && end->exit_code == 0)
        succeed(outcome, command, end);
    else
        fail_exit(outcome, command, end);
}

/* It did not start: for a fault of the command's the attempt fails, for one of this machine's the
 * job is given back for a while. */
static void not_started(qk_outcome *outcome, const command *command, qk_status rc,
                        const qk_error *err)
{
    if (rc == QK_EINVAL) {
        qk__outcome_fail(outcome, "%s", err->message);
        return;
    }
    qk__log_write(command->slot->pool->log, QK_LOG_WARN, "worker %s: %s", command->slot->pool->id,
                  err->message);
    outcome->verdict = QK_VERDICT_NACK;
    outcome->delay = qk_seconds(1);
}

/* True if the tail that is stored with the attempt is all of its standard output, byte for byte, and
 * there was nothing else. */
static bool is_told(const qk__process_end *end, const char *tail)
{
    size_t length;
    const char *raw = qk__tail_view(&end->log, &length);

    if (end->err.total > 0 || end->out.total != length)
        return false;
    return length == 0 || (tail && strlen(tail) == length && memcmp(tail, raw, length) == 0);
}

/* What it wrote stays beside the store, unless the attempt tells the same. */
static void keep_output(command *command, const qk__process_end *end, const qk_outcome *outcome)
{
    qk__slot *slot = command->slot;
    qk_worker *pool = slot->pool;
    bool keep = !is_told(end, outcome->log_tail);

    slot->logged = qk__log_file_end(&command->log, &end->out, &end->err, keep);
    if (!keep)
        return;
    uint64_t size = qk__log_size(&end->out) + qk__log_size(&end->err);
    uint64_t before = atomic_fetch_add(&pool->logs_kept, size);
    if (before == 0 || before / QK__SWEEP_EVERY != (before + size) / QK__SWEEP_EVERY)
        qk__logs_sweep(pool->logs_dir);
}

static void run(command *command, qk_outcome *outcome)
{
    qk__slot *slot = command->slot;
    qk__procs *procs = slot->pool->procs;
    const qk_lease *lease = &command->claim->lease;
    const qk__command_spec *what = &command->spec;
    qk__process_end end;
    qk_error err = QK_ERROR_INIT;
    qk__process_spec spec = {
        .argv = what->argv,
        .env = command->env.vars,
        .cwd = what->cwd,
        .input = what->input,
        .input_length = what->input_length,
        .limits = &what->limits,
        .secrets = &what->secrets,
        .mark = &command->env.mark,
        .cancelled = &slot->task.cancelled,
        .cancel_fd = slot->wake_fd,
        .tick = on_tick,
        .started = on_started,
        .user = command,
    };

    qk__log_file_init(&command->log, slot->pool->logs_dir, lease->job, lease->attempt);
    qk__procs_begin(procs, slot->index, lease->job, lease->attempt);
    qk_status rc = qk__process_run(&end, &spec, &err);
    qk__procs_end(procs, slot->index);
    atomic_store(&slot->pid, 0);
    if (rc == QK_OK) {
        look_at_progress(command);
        judge(outcome, command, &end);
        keep_output(command, &end, outcome);
    } else {
        not_started(outcome, command, rc, &err);
    }
    qk__process_end_dispose(&end);
}

static void run_in_its_slots(command *command, qk_outcome *outcome)
{
    qk__slot *slot = command->slot;

    if (command->spec.slots > 1 && !qk__slots_gather(slot, command->spec.slots)) {
        outcome->verdict = QK_VERDICT_NACK;
        return;
    }
    run(command, outcome);
    if (command->spec.slots > 1)
        qk__slots_release(slot);
}

void qk__command_run(qk__slot *slot, qk_outcome *outcome)
{
    command command = { .slot = slot };
    qk_error err = QK_ERROR_INIT;
    /* Of a kind that a program handles: it reads the payload. */
    qk_status rc = qk__slot_put_values(slot, &err);
    command.claim = slot->task.claim;
    if (rc == QK_OK)
        rc = qk__command_spec_read(&command.spec, command.claim, slot->handler->program, &err);

    if (rc == QK_OK)
        rc = qk__command_spec_resolve(&command.spec, &slot->task, &err);
    if (rc == QK_OK &&
        qk__command_env_init(&command.env, slot, command.claim, command.spec.env) != QK_OK)
        rc = qk__error(&err, QK_ENOMEM, "out of memory for a command");
    if (rc == QK_OK) {
        run_in_its_slots(&command, outcome);
    } else {
        not_started(outcome, &command, rc, &err);
        outcome->permanent = rc == QK_EINVAL;
    }
    qk__command_env_dispose(&command.env);
    qk__command_spec_dispose(&command.spec);
}
