/*
 * See run_lines.h. What jobs wrote is made harmless for a terminal in both forms.
 */
#include "run_lines.h"

#include <stdlib.h>
#include <string.h>

#include "run_args.h"
#include "text.h"
#include "values.h"

#define TAIL_LINES 20

static const struct {
    const char *word;
    cli_colour colour;
} words[] = {
    [RUN_JOB_CLAIMED] = { "start", CLI_BLUE },
    [RUN_JOB_PROGRESS] = { "at", CLI_DIM },
    [RUN_JOB_DONE] = { "done", CLI_GREEN },
    [RUN_JOB_FAILED] = { "failed", CLI_RED },
    [RUN_JOB_RETRIED] = { "again", CLI_YELLOW },
    [RUN_JOB_SKIPPED] = { "skipped", CLI_DIM },
    [RUN_JOB_CANCELLED] = { "cancelled", CLI_YELLOW },
};

void run_lines_tail(FILE *out, const char *text, size_t max, const char *prefix)
{
    size_t length = text ? strlen(text) : 0;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    size_t from = length;
    for (size_t lines = 0; from > 0; from--) {
        if (text[from - 1] == '\n' && ++lines == max)
            break;
    }
    while (from < length) {
        const char *end = memchr(text + from, '\n', length - from);
        size_t size = end ? (size_t)(end - text) - from : length - from;
        char *line = strndup(text + from, size);
        fputs(prefix, out);
        if (line && size > 0 && line[size - 1] == '\r')
            line[size - 1] = '\0';
        if (line)
            cli_put_line(out, line);
        fputc('\n', out);
        free(line);
        from += size + 1;
    }
}

static void put_clock(qk_time at)
{
    char time[CLI_TIME_SIZE];
    cli_time_local(time, at);
    printf("%s  ", strlen(time) > 11 ? time + 11 : time);
}

static void put_word(const char *word, cli_colour colour)
{
    printf("%s%-9s%s ", cli_colour_on(colour), word, cli_colour_off());
}

/* What follows the name. */
static void put_details(const run_task *task, run_event event)
{
    char took[CLI_TIME_SIZE];
    bool ended = event == RUN_JOB_DONE || event == RUN_JOB_FAILED || event == RUN_JOB_RETRIED;
    if (event == RUN_JOB_PROGRESS)
        printf("  %.0f %%%s", task->progress * 100, *task->message ? "  " : "");
    if (event == RUN_JOB_PROGRESS)
        cli_put_line(stdout, task->message);
    if (ended && task->took_us >= 0)
        printf("  %s", cli_duration_text(took, task->took_us));
    const char *why = event == RUN_JOB_SKIPPED                              ? task->reason
                      : event == RUN_JOB_FAILED || event == RUN_JOB_RETRIED ? task->error
                                                                            : NULL;
    if (why) {
        fputs("  ", stdout);
        cli_put_line(stdout, why);
    }
}

static void text_of_run(const run_model *model, run_event event, const run_part *part)
{
    char id[QK_ID_TEXT_SIZE];
    bool started = event == RUN_STARTED;
    put_word(started ? "run" : qk_run_status_name(part->status),
             started ? CLI_BOLD : cli_run_colour(part->status));
    if (part->parent != RUN_NONE)
        run_model_put_path(model, part->parent);
    else
        cli_put_line(stdout, part->name);
    if (started && part->parent == RUN_NONE)
        printf("  %s, %zu task%s", qk_id_format(id, part->id), part->count,
               part->count == 1 ? "" : "s");
    putchar('\n');
}

void run_lines_text(void *user, const run_model *model, run_event event, size_t part, size_t index,
                    qk_time at)
{
    const run_lines *lines = user;
    bool twice = index == RUN_NONE && event != RUN_STARTED && /* its node says so, and how long */
                 model->parts[part].parent != RUN_NONE;
    if (lines->quiet || twice)
        return;
    put_clock(at);
    if (index == RUN_NONE) {
        text_of_run(model, event, &model->parts[part]);
        return;
    }
    const run_task *task = &model->tasks[index];
    put_word(words[event].word, words[event].colour);
    run_model_put_path(model, index);
    put_details(task, event);
    putchar('\n');
    if (event == RUN_JOB_FAILED || event == RUN_JOB_RETRIED)
        run_lines_tail(stdout, task->tail, TAIL_LINES, "          | ");
}

static const char *run_event_name(qk_run_status status, run_event event)
{
    return event == RUN_STARTED         ? "run.started"
           : status == QK_RUN_DONE      ? "run.done"
           : status == QK_RUN_FAILED    ? "run.failed"
           : status == QK_RUN_CANCELLED ? "run.cancelled"
                                        : "run.ended";
}

static void json_id(bool *first, const char *key, qk_id id)
{
    cli_json_key(stdout, first, key);
    if (qk_id_is_none(id))
        fputs("null", stdout);
    else
        cli_json_id(stdout, id);
}

static void json_run(bool *first, const run_model *model, run_event event, const run_part *part)
{
    qk_id parent = { { 0 } };
    if (part->parent != RUN_NONE)
        parent = model->tasks[part->parent].job;
    json_id(first, "run_id", part->id);
    json_id(first, "parent_job_id", parent);
    cli_json_key(stdout, first, "name");
    cli_json_text(stdout, part->name);
    cli_json_key(stdout, first, "status");
    cli_json_text(stdout, qk_run_status_name(part->status));
    cli_json_key(stdout, first, "total_jobs");
    printf("%zu", part->count);
    for (int s = 0; event == RUN_ENDED && s < QK_JOB_STATUS_COUNT; s++) {
        cli_json_key(stdout, first, qk_job_status_name((qk_job_status)s));
        printf("%llu", (unsigned long long)part->counts[s]);
    }
}

static void json_end(bool *first, const run_task *task, run_event event)
{
    char seconds[CLI_TIME_SIZE];
    bool failure = event == RUN_JOB_FAILED || event == RUN_JOB_RETRIED;
    if (task->took_us >= 0) {
        cli_json_key(stdout, first, "duration_seconds");
        fputs(cli_seconds(seconds, task->took_us), stdout);
    }
    if (task->has_exit_code) {
        cli_json_key(stdout, first, "exit_code");
        printf("%d", task->exit_code);
    }
    if (failure) {
        cli_json_key(stdout, first, "error");
        cli_json_text(stdout, task->error);
        cli_json_key(stdout, first, "log_tail");
        cli_json_text(stdout, task->tail);
    }
}

static void json_job(bool *first, const run_model *model, run_event event, const run_task *task)
{
    json_id(first, "run_id", model->parts[task->part].id);
    json_id(first, "job_id", task->job);
    cli_json_key(stdout, first, "node_name");
    cli_json_text(stdout, task->name);
    if (task->attempt) {
        cli_json_key(stdout, first, "attempt");
        printf("%d", task->attempt);
    }
    if (event == RUN_JOB_PROGRESS) {
        cli_json_key(stdout, first, "progress");
        printf("%.6g", task->progress);
        cli_json_key(stdout, first, "progress_message");
        cli_json_text(stdout, *task->message ? task->message : NULL);
    } else if (event == RUN_JOB_SKIPPED) {
        cli_json_key(stdout, first, "skip_reason");
        cli_json_text(stdout, task->reason);
    } else if (event != RUN_JOB_CLAIMED && event != RUN_JOB_CANCELLED) {
        json_end(first, task, event);
    }
}

void run_lines_json(void *user, const run_model *model, run_event event, size_t part, size_t task,
                    qk_time at)
{
    static const char *const names[] = {
        [RUN_JOB_CLAIMED] = "job.claimed",     [RUN_JOB_PROGRESS] = "job.progress",
        [RUN_JOB_DONE] = "job.done",           [RUN_JOB_FAILED] = "job.failed",
        [RUN_JOB_RETRIED] = "job.retried",     [RUN_JOB_SKIPPED] = "job.skipped",
        [RUN_JOB_CANCELLED] = "job.cancelled",
    };
    run_lines *lines = user;
    bool first = true;
    printf("{\"seq\":%llu", (unsigned long long)++lines->seq);
    first = false;
    cli_json_key(stdout, &first, "event");
    cli_json_text(stdout, task == RUN_NONE ? run_event_name(model->parts[part].status, event)
                                           : names[event]);
    cli_json_key(stdout, &first, "at");
    cli_json_time(stdout, at);
    if (task == RUN_NONE)
        json_run(&first, model, event, &model->parts[part]);
    else
        json_job(&first, model, event, &model->tasks[task]);
    puts("}");
}
