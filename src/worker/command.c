/*
 * The command executor: runs a program for a job of the kind "command".
 *
 * Payload: {"argv": ["prog", "arg", …], "cwd": "…", "env": {"K": "V"}, "stdin": "…"}; cwd, env and
 * stdin may be left out; other keys are ignored. No shell, and nothing is put into a command line.
 *
 * The slot's thread. Exit code 0 completes the job; its result is what the command wrote to
 * $QUEUACK_RESULT, else the last line of its output if that is a JSON object or array. Anything else
 * fails the attempt. A command that times out or is cancelled is killed with its group and reported
 * after its end, so that no two attempts run side by side.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/error.h"
#include "util/json.h"
#include "worker/clean.h"
#include "worker/command_env.h"
#include "worker/process.h"

#define PROGRESS_MAX ((size_t)1 << 20) /* of the progress file; more is not looked at */
#define ERROR_LINE_MAX 300

typedef struct command {
    qk__slot *slot;
    const qk_claimed *claim;
    json_t *payload;
    char **argv;
    const char *cwd;
    const char *input;
    size_t input_length;
    qk__command_env env;
    size_t progress_seen; /* bytes of the progress file */
} command;

static void fail(qk_outcome *outcome, const char *format, ...) QK_PRINTF(2, 3);

static void fail(qk_outcome *outcome, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    outcome->verdict = QK_VERDICT_FAIL;
    outcome->error = qk__clean_string(text);
}

/* The payload can never become right. */
static qk_status bad(qk_error *err, const char *what)
{
    return qk__error(err, QK_EINVAL, "payload of the command: %s", what);
}

static qk_status take_argv(command *command, qk_error *err)
{
    json_t *argv = json_object_get(command->payload, "argv");
    size_t count = json_array_size(argv);

    if (count == 0)
        return bad(err, "\"argv\" must be a list of strings, the program first");
    command->argv = calloc(count + 1, sizeof(*command->argv));
    if (!command->argv)
        return qk__error(err, QK_ENOMEM, "out of memory for a command");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(argv, i));
        if (!text)
            return bad(err, "\"argv\" must hold strings only");
        command->argv[i] = (char *)(uintptr_t)text;
    }
    return command->argv[0][0] ? QK_OK : bad(err, "the program's name is empty");
}

static qk_status check_env(json_t *env, qk_error *err)
{
    const char *name;
    json_t *value;

    if (env && !json_is_null(env) && !json_is_object(env))
        return bad(err, "\"env\" must be an object");
    json_object_foreach(env, name, value)
    {
        if (!*name || strchr(name, '='))
            return bad(err, "a name in \"env\" is empty or has a = in it");
        if (!json_is_string(value))
            return bad(err, "the values in \"env\" must be strings");
    }
    return QK_OK;
}

/* A string or NULL for absent and null. */
static qk_status take_string(const char **out, json_t *object, const char *key, qk_error *err)
{
    json_t *value = json_object_get(object, key);

    *out = json_string_value(value);
    if (value && !json_is_string(value) && !json_is_null(value))
        return qk__error(err, QK_EINVAL, "payload of the command: \"%s\" must be a string", key);
    return QK_OK;
}

static qk_status parse(command *command, qk_error *err)
{
    json_error_t error;

    command->payload =
        json_loadb(command->claim->payload, command->claim->payload_length, 0, &error);
    if (!json_is_object(command->payload))
        return bad(err, "it must be an object with \"argv\"");
    qk_status rc = take_argv(command, err);
    if (rc == QK_OK)
        rc = take_string(&command->cwd, command->payload, "cwd", err);
    if (rc == QK_OK)
        rc = take_string(&command->input, command->payload, "stdin", err);
    if (rc == QK_OK)
        rc = check_env(json_object_get(command->payload, "env"), err);
    if (rc == QK_OK && command->input)
        command->input_length = json_string_length(json_object_get(command->payload, "stdin"));
    if (rc == QK_OK && command->cwd && !*command->cwd)
        rc = bad(err, "\"cwd\" is empty");
    if (rc == QK_OK && qk__command_env_init(&command->env, command->slot, command->claim,
                                            json_object_get(command->payload, "env")) != QK_OK)
        rc = qk__error(err, QK_ENOMEM, "out of memory for a command");
    return rc;
}

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
static void look_at_progress(void *user)
{
    command *command = user;
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

/* The result the command wrote. QK_EMPTY: none. */
static qk_status result_from_file(char **out, const command *command, qk_error *err)
{
    size_t length = 0;
    qk_status rc = qk__command_file_read(out, &length, command->env.result_path,
                                         command->slot->pool->max_payload, err);

    if (rc == QK_OK && strspn(*out, " \t\r\n") == length)
        rc = QK_EMPTY;
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
        fail(outcome, "the result file is not usable: %s", err.message);
        return;
    }
    outcome->verdict = QK_VERDICT_ACK;
    outcome->result = result;
}

static void fail_exit(qk_outcome *outcome, const qk__process_end *end)
{
    size_t length = 0;
    char *line = qk__stream_last_line(&end->err, &length);
    const char *name = end->signal ? sigabbrev_np(end->signal) : NULL;

    if (!end->known)
        fail(outcome, "its exit code is lost: the application ignores SIGCHLD or reaps all "
                      "children");
    else if (end->signal)
        fail(outcome, "killed by signal %d (SIG%s)", end->signal, name ? name : "?");
    else if (line)
        fail(outcome, "exit code %d: %.*s", end->exit_code, ERROR_LINE_MAX, line);
    else
        fail(outcome, "exit code %d", end->exit_code);
    free(line);
}

static qk__cut_reason cut_reason(qk__slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    qk__cut_reason reason = slot->reason;
    pthread_mutex_unlock(&slot->lock);
    return reason;
}

static void judge(qk_outcome *outcome, const command *command, const qk__process_end *end)
{
    size_t length;
    const char *log = qk__tail_view(&end->log, &length);

    outcome->has_exit_code = end->known;
    outcome->exit_code = end->exit_code;
    if (length > 0)
        outcome->log_tail = qk__clean_copy(log, length, QK__LOG_TAIL);
    if (cut_reason(command->slot) == QK__CUT_TIMEOUT)
        fail(outcome, "timeout after %g s", (double)command->claim->timeout.us / 1e6);
    else if (end->known && end->signal == 0 && end->exit_code == 0)
        succeed(outcome, command, end);
    else
        fail_exit(outcome, end);
}

/* It did not start: for a fault of the command's the attempt fails, for one of this machine's the
 * job is given back for a while. */
static void not_started(qk_outcome *outcome, const command *command, qk_status rc,
                        const qk_error *err)
{
    if (rc == QK_EINVAL) {
        fail(outcome, "%s", err->message);
        return;
    }
    qk__log_write(command->slot->pool->log, QK_LOG_WARN, "worker %s: %s", command->slot->pool->id,
                  err->message);
    outcome->verdict = QK_VERDICT_NACK;
    outcome->delay = qk_seconds(1);
}

static void run(command *command, qk_outcome *outcome)
{
    qk__slot *slot = command->slot;
    qk__process_end end;
    qk_error err = QK_ERROR_INIT;
    qk__process_spec spec = {
        .argv = command->argv,
        .env = command->env.vars,
        .cwd = command->cwd,
        .input = command->input,
        .input_length = command->input_length,
        .cancelled = &slot->task.cancelled,
        .cancel_fd = slot->wake_fd,
        .tick = look_at_progress,
        .user = command,
    };

    qk_status rc = qk__process_run(&end, &spec, &err);
    if (rc == QK_OK) {
        look_at_progress(command);
        judge(outcome, command, &end);
    } else {
        not_started(outcome, command, rc, &err);
    }
    qk__process_end_dispose(&end);
}

void qk__command_run(qk__slot *slot, qk_outcome *outcome)
{
    command command = { .slot = slot, .claim = slot->task.claim };
    qk_error err = QK_ERROR_INIT;
    qk_status rc = parse(&command, &err);

    if (rc == QK_OK) {
        run(&command, outcome);
    } else {
        not_started(outcome, &command, rc, &err);
        outcome->permanent = rc == QK_EINVAL;
    }
    qk__command_env_dispose(&command.env);
    free(command.argv);
    json_decref(command.payload);
}
