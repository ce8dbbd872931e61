/*
 * Showing jobs; see job_out.h.
 */
#include "job_out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "table.h"
#include "values.h"

#define TITLE_MAX 400
#define DAY_LENGTH 10 /* of 2026-11-23 */

cli_colour cli_status_colour(qk_job_status status)
{
    switch (status) {
    case QK_JOB_DONE:
        return CLI_GREEN;
    case QK_JOB_FAILED:
        return CLI_RED;
    case QK_JOB_CLAIMED:
        return CLI_BLUE;
    case QK_JOB_DELAYED:
        return CLI_YELLOW;
    case QK_JOB_SKIPPED:
    case QK_JOB_CANCELLED:
        return CLI_DIM;
    default:
        return CLI_PLAIN;
    }
}

/* The words of argv with blanks between them, cut at TITLE_MAX. */
static char *command_line(const char *payload)
{
    char text[TITLE_MAX + 8] = "";
    size_t used = 0;
    size_t index;
    json_t *word;
    json_t *root = json_loads(payload, 0, NULL);
    json_array_foreach(json_object_get(root, "argv"), index, word)
    {
        const char *value = json_string_value(word);
        if (!value || used >= TITLE_MAX)
            break;
        snprintf(text + used, TITLE_MAX - used + 1, "%s%s", used ? " " : "", value);
        used = strlen(text);
    }
    json_decref(root);
    return used ? strdup(text) : NULL;
}

char *cli_job_title(const char *kind, const char *name, const char *payload)
{
    char *title = NULL;
    if (name)
        return strdup(name);
    if (payload && strcmp(kind, "command") == 0)
        title = command_line(payload);
    return title ? title : strdup(kind);
}

static void put_int(FILE *out, bool *first, const char *key, bool present, long long value)
{
    cli_json_key(out, first, key);
    if (present)
        fprintf(out, "%lld", value);
    else
        fputs("null", out);
}

static void put_text(FILE *out, bool *first, const char *key, const char *value)
{
    cli_json_key(out, first, key);
    cli_json_text(out, value);
}

static void put_raw(FILE *out, bool *first, const char *key, const char *json)
{
    cli_json_key(out, first, key);
    cli_json_raw(out, json);
}

static void put_time(FILE *out, bool *first, const char *key, qk_time time)
{
    cli_json_key(out, first, key);
    cli_json_time(out, time);
}

static void put_id(FILE *out, bool *first, const char *key, qk_id id)
{
    cli_json_key(out, first, key);
    cli_json_id(out, id);
}

static void put_progress(FILE *out, bool *first, const qk_job *job)
{
    cli_json_key(out, first, "progress");
    if (job->progress >= 0)
        fprintf(out, "%.6g", job->progress);
    else
        fputs("null", out);
    put_text(out, first, "progress_message", job->progress_message);
}

void cli_job_json(FILE *out, const qk_job *job)
{
    bool first = true;
    char seconds[CLI_TIME_SIZE];
    bool limited = job->timeout.us != QK_FOREVER_US && job->timeout.us > 0;
    fputc('{', out);
    put_id(out, &first, "id", job->id);
    put_id(out, &first, "dag_run_id", job->run_id);
    put_text(out, &first, "node_name", job->node_name);
    put_text(out, &first, "dependency_mode", qk_dependency_mode_name(job->mode));
    put_text(out, &first, "kind", job->kind);
    put_raw(out, &first, "payload", job->payload);
    put_text(out, &first, "queue", job->queue);
    put_text(out, &first, "status", qk_job_status_name(job->status));
    put_int(out, &first, "priority", true, job->priority);
    put_time(out, &first, "created_at", job->created_at);
    put_time(out, &first, "execute_after", job->execute_after);
    put_time(out, &first, "claimed_at", job->claimed_at);
    put_text(out, &first, "claimed_by", job->claimed_by);
    put_time(out, &first, "completed_at", job->completed_at);
    put_int(out, &first, "attempts", true, job->attempts);
    put_int(out, &first, "max_attempts", true, job->max_attempts);
    put_raw(out, &first, "timeout_seconds", limited ? cli_seconds(seconds, job->timeout.us) : NULL);
    put_raw(out, &first, "result", job->result);
    put_text(out, &first, "error", job->error);
    put_time(out, &first, "skipped_at", job->skipped_at);
    put_text(out, &first, "skip_reason", job->skip_reason);
    put_text(out, &first, "skipped_by", job->skipped_by);
    put_raw(out, &first, "tags", job->tags);
    put_text(out, &first, "name", job->name);
    put_text(out, &first, "unique_key", job->unique_key);
    put_progress(out, &first, job);
    put_int(out, &first, "map_index", job->map_index >= 0, job->map_index);
    put_int(out, &first, "exit_code", job->has_exit_code, job->exit_code);
    fputc('}', out);
}

void cli_jobs_json(FILE *out, const qk_job_list *list)
{
    fputc('[', out);
    for (size_t i = 0; i < list->count; i++) {
        if (i)
            fputs(",\n", out);
        cli_job_json(out, &list->items[i]);
    }
    fputs("]\n", out);
}

/* On a terminal the day is left out when it is today's. */
static char *short_time(char out[CLI_TIME_SIZE], qk_time time)
{
    char now[CLI_TIME_SIZE];
    struct timespec clock;
    cli_time_local(out, time);
    if (!cli_is_terminal() || !*out)
        return out;
    clock_gettime(CLOCK_REALTIME, &clock);
    cli_time_local(now, (qk_time){ (int64_t)clock.tv_sec * 1000000 });
    if (strncmp(out, now, DAY_LENGTH) == 0)
        return out + DAY_LENGTH + 1;
    out[DAY_LENGTH + 6] = '\0'; /* no seconds */
    return out;
}

static void put_row(cli_table *table, const qk_job *job)
{
    char id[QK_ID_TEXT_SIZE];
    char time[CLI_TIME_SIZE];
    char *title = cli_job_title(job->kind, job->name, job->payload);
    const char *why = job->error ? job->error : job->skip_reason;
    qk_id_format(id, job->id);
    cli_table_cell(table, CLI_PLAIN, cli_is_terminal() ? id + 24 : id);
    cli_table_cell(table, cli_status_colour(job->status), qk_job_status_name(job->status));
    cli_table_cell(table, CLI_PLAIN, job->queue);
    cli_table_printf(table, CLI_PLAIN, "%d", job->priority);
    cli_table_printf(table, CLI_PLAIN, "%d/%d", (int)job->attempts, (int)job->max_attempts);
    cli_table_cell(table, CLI_PLAIN, short_time(time, job->created_at));
    cli_table_printf(table, CLI_PLAIN, "%s%s%s", title ? title : "", why ? ": " : "",
                     why ? why : "");
    free(title);
}

qk_status cli_jobs_table(const qk_job_list *list, qk_error *err)
{
    static const cli_column columns[] = {
        { "id", false, false },  { "status", false, false }, { "queue", false, true },
        { "prio", true, false }, { "tries", true, false },   { "created", false, false },
        { "what", false, true },
    };
    cli_table *table = cli_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < list->count; i++)
        put_row(table, &list->items[i]);
    return cli_table_end(table, err);
}

static void line(const char *label, const char *text)
{
    if (!text || !*text)
        return;
    printf("%s%-13s%s", cli_colour_on(CLI_DIM), label, cli_colour_off());
    cli_put_line(stdout, text);
    putchar('\n');
}

static void line_time(const char *label, qk_time time)
{
    char text[CLI_TIME_SIZE];
    line(label, cli_time_local(text, time));
}

static void page_head(const qk_job *job)
{
    char id[QK_ID_TEXT_SIZE];
    char *title = cli_job_title(job->kind, job->name, job->payload);
    printf("%s%s%s  %s%s%s\n", cli_colour_on(CLI_BOLD), qk_id_format(id, job->id), cli_colour_off(),
           cli_colour_on(cli_status_colour(job->status)), qk_job_status_name(job->status),
           cli_colour_off());
    line("what", title);
    line("kind", job->kind);
    line("queue", job->queue);
    line("name", job->name);
    line("node", job->node_name);
    line("tags", job->tags);
    line("unique", job->unique_key);
    free(title);
}

void cli_job_page(const qk_job *job)
{
    char text[64];
    page_head(job);
    snprintf(text, sizeof(text), "%d", job->priority);
    line("priority", text);
    snprintf(text, sizeof(text), "%d of %d", (int)job->attempts, (int)job->max_attempts);
    line("attempts", text);
    if (job->timeout.us > 0)
        line("timeout", cli_duration_text(text, job->timeout.us));
    line_time("created", job->created_at);
    line_time("not before", job->execute_after);
    line_time("claimed", job->claimed_at);
    line("claimed by", job->claimed_by);
    line_time("ended", job->completed_at);
    line_time("skipped", job->skipped_at);
    line("reason", job->skip_reason);
    if (job->progress >= 0) {
        snprintf(text, sizeof(text), "%.0f %%", job->progress * 100);
        line("progress", text);
    }
    line("message", job->progress_message);
    if (job->has_exit_code) {
        snprintf(text, sizeof(text), "%d", job->exit_code);
        line("exit code", text);
    }
    line("error", job->error);
    line("payload", job->payload);
    line("result", job->result);
}
