/*
 * jobs why JOB: what it waits for, in sentences. One reason per thing that keeps it, the most telling
 * first; with --json each has a code.
 *
 * It reads the published views, so it says what is true of the moment it looked.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alive.h"
#include "commands.h"
#include "job_out.h"
#include "sql_text.h"
#include "values.h"

#define PARENTS_SHOWN 5

/* Reasons as they are found: codes for programs, one text for people. */
typedef struct why {
    cli *cli;
    const qk_job *job;
    char id[QK_ID_TEXT_SIZE];
    FILE *text;
    FILE *codes; /* JSON strings with commas */
    size_t count;
} why;

/* Begins a sentence; what follows is written to why->text, without its full stop. */
static FILE *reason(why *why, const char *code)
{
    if (why->count++) {
        fputs(". ", why->text);
        fputc(',', why->codes);
    }
    cli_json_text(why->codes, code);
    return why->text;
}

static qk_time now(void)
{
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    return (qk_time){ (int64_t)clock.tv_sec * 1000000 + clock.tv_nsec / 1000 };
}

static void put_since(FILE *out, qk_time time)
{
    char text[CLI_TIME_SIZE];
    int64_t spent = now().us - time.us;
    fprintf(out, "since %s", cli_time_local(text, time));
    if (spent >= 1000000)
        fprintf(out, " (%s)", cli_duration_text(text, spent / 1000000 * 1000000));
}

static void explain_end(why *why)
{
    const qk_job *job = why->job;
    char text[CLI_TIME_SIZE];
    FILE *out = reason(why, qk_job_status_name(job->status));
    fprintf(out, "It waits for nothing: it %s %s",
            job->status == QK_JOB_DONE        ? "was done at"
            : job->status == QK_JOB_CANCELLED ? "was cancelled at"
                                              : "failed at",
            cli_time_local(text, job->completed_at));
    if (job->status == QK_JOB_FAILED)
        fprintf(out, " after %d of %d attempts%s%s", (int)job->attempts, (int)job->max_attempts,
                job->error ? ": " : "", job->error ? job->error : "");
    if (job->status != QK_JOB_DONE)
        fputs("; queuack jobs retry lets it run again", out);
}

/* "parent_failed:<id>", or "condition". */
static qk_status explain_skip(why *why)
{
    static const char prefix[] = "parent_failed:";
    const char *skip = why->job->skip_reason ? why->job->skip_reason : "";
    qk_id parent;
    qk_job *job = NULL;
    FILE *out = reason(why, "skipped");
    if (strncmp(skip, prefix, sizeof(prefix) - 1) != 0 ||
        qk_id_parse(&parent, skip + sizeof(prefix) - 1) != QK_OK) {
        fprintf(out, "It never runs: it was skipped (%s)", *skip ? skip : "no reason is kept");
        return QK_OK;
    }
    fprintf(out, "It never runs: it was skipped because job %s", skip + sizeof(prefix) - 1);
    qk_status rc = qk_job_get(&job, why->cli->queue, parent, &why->cli->err);
    if (!rc) {
        char *title = cli_job_title(job->kind, job->name, job->payload);
        fprintf(out, " (%s) %s%s%s", title ? title : job->kind,
                job->status == QK_JOB_CANCELLED ? "was cancelled" : "failed",
                job->error ? ": " : "", job->error ? job->error : "");
        free(title);
        qk_job_free(job);
    } else {
        fputs(" failed", out);
    }
    return rc == QK_ENOTFOUND ? QK_OK : rc;
}

static void explain_claim(why *why)
{
    const qk_job *job = why->job;
    FILE *out = reason(why, "claimed");
    fprintf(out, "It runs: worker %s has it ", job->claimed_by ? job->claimed_by : "(unknown)");
    put_since(out, job->claimed_at);
    fprintf(out, ", attempt %d of %d", (int)job->attempts, (int)job->max_attempts);
    if (job->progress >= 0)
        fprintf(out, ", %.0f %% done", job->progress * 100);
    if (job->progress_message)
        fprintf(out, " (%s)", job->progress_message);
}

static void explain_delay(why *why)
{
    const qk_job *job = why->job;
    char text[CLI_TIME_SIZE];
    int64_t left = job->execute_after.us - now().us;
    FILE *out = reason(why, "delayed");
    fprintf(out, "It waits until %s", cli_time_local(text, job->execute_after));
    if (left >= 1000000)
        fprintf(out, " (%s more)", cli_duration_text(text, left / 1000000 * 1000000));
    if (job->attempts > 0)
        fprintf(out, ", when it is tried again after attempt %d of %d%s%s", (int)job->attempts,
                (int)job->max_attempts, job->error ? ": " : "", job->error ? job->error : "");
}

static const char *what_of_parents(qk_dependency_mode mode)
{
    switch (mode) {
    case QK_MODE_ANY:
        return "the first of its parents to be done";
    case QK_MODE_ALL_DONE:
        return "the end of its parents";
    case QK_MODE_ONE_FAILED:
        return "the first of its parents to fail";
    case QK_MODE_NONE_FAILED:
        return "its parents to be done or skipped";
    default:
        return "its parents to be done";
    }
}

/* A pending job whose parents have not decided about it yet has one that has not ended. */
static qk_status explain_parents(why *why)
{
    qk_rows *rows = NULL;
    int64_t open = 0;
    size_t shown = 0;
    qk_status rc = cli_sql_number(why->cli, &open,
                                  "SELECT count(*) FROM job_dependencies d JOIN jobs p ON p.id = "
                                  "d.parent_job_id WHERE d.child_job_id = %L AND p.status IN "
                                  "('pending', 'delayed', 'claimed')",
                                  why->id);
    if (rc || open == 0)
        return rc;
    FILE *out = reason(why, "parents");
    fprintf(out, "It waits for %s: %lld %s not ended (", what_of_parents(why->job->mode),
            (long long)open, open == 1 ? "has" : "have");
    rc = cli_sql_open(why->cli, &rows,
                      "SELECT p.id, p.kind, p.name, p.payload, p.status FROM job_dependencies d "
                      "JOIN jobs p ON p.id = d.parent_job_id WHERE d.child_job_id = %L AND "
                      "p.status IN ('pending', 'delayed', 'claimed') ORDER BY p.id LIMIT 5",
                      why->id);
    while (!rc && (rc = qk_rows_next(rows, &why->cli->err)) == QK_OK) {
        const char *kind = qk_rows_text(rows, 1);
        char *title = cli_job_title(kind ? kind : "", qk_rows_text(rows, 2), qk_rows_text(rows, 3));
        fprintf(out, "%s%s %s is %s", shown++ ? ", " : "", title ? title : kind,
                qk_rows_text(rows, 0), qk_rows_text(rows, 4));
        free(title);
    }
    qk_rows_close(rows);
    fprintf(out, "%s)", open > PARENTS_SHOWN ? ", …" : "");
    return rc == QK_EMPTY ? QK_OK : rc;
}

static qk_status explain_queue(why *why)
{
    qk_rows *rows = NULL;
    const char *queue = why->job->queue;
    qk_status rc = cli_sql_open(
        why->cli, &rows, "SELECT paused, concurrency, claimed FROM queues WHERE name = %L", queue);
    if (!rc)
        rc = qk_rows_next(rows, &why->cli->err);
    if (!rc) {
        const char *paused = qk_rows_text(rows, 0);
        const char *limit = qk_rows_text(rows, 1);
        const char *claimed = qk_rows_text(rows, 2);
        if (paused && paused[0] == 't')
            fprintf(reason(why, "paused"),
                    "Its queue \"%s\" is paused; queuack queues resume lets it go on", queue);
        if (limit && claimed && strtoll(claimed, NULL, 10) >= strtoll(limit, NULL, 10))
            fprintf(reason(why, "concurrency"),
                    "Its queue \"%s\" runs at most %s at a time, and %s run%s", queue, limit,
                    claimed, strcmp(claimed, "1") == 0 ? "s" : "");
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

/* Of the same queue and ready, as far as the views can tell. */
static qk_status count_ahead(why *why, int64_t *higher, int64_t *earlier)
{
    char priority[16];
    static const char sql[] =
        "SELECT count(*) FROM jobs j WHERE j.queue = %L AND j.status = 'pending' AND NOT EXISTS "
        "(SELECT 1 FROM job_dependencies d JOIN jobs p ON p.id = d.parent_job_id WHERE "
        "d.child_job_id = j.id AND p.status IN ('pending', 'delayed', 'claimed')) AND ";
    char above[sizeof(sql) + 64];
    char before[sizeof(sql) + 64];
    snprintf(priority, sizeof(priority), "%d", why->job->priority);
    snprintf(above, sizeof(above), "%sj.priority > %%L::INTEGER", sql);
    snprintf(before, sizeof(before), "%sj.priority = %%L::INTEGER AND j.id < %%L::UUID", sql);
    qk_status rc = cli_sql_number(why->cli, higher, above, why->job->queue, priority);
    return rc ? rc : cli_sql_number(why->cli, earlier, before, why->job->queue, priority, why->id);
}

static qk_status explain_place(why *why, const cli_workers *workers)
{
    int64_t higher = 0;
    int64_t earlier = 0;
    qk_status rc = count_ahead(why, &higher, &earlier);
    if (rc)
        return rc;
    if (higher)
        fprintf(reason(why, "behind"),
                "In its queue \"%s\" %lld job%s of higher priority come%s first", why->job->queue,
                (long long)higher, higher == 1 ? "" : "s", higher == 1 ? "s" : "");
    if (earlier)
        fprintf(reason(why, "behind"), "%lld of the same priority %s before it", (long long)earlier,
                earlier == 1 ? "was" : "were");
    if (!higher && !earlier && workers->free_slots > 0)
        fprintf(
            reason(why, "no_worker"),
            "It is the next of its queue and a worker has a free slot: if it does not start, no "
            "worker there runs the kind \"%s\"",
            why->job->kind);
    else if (!higher && !earlier && workers->alive)
        fputs("It is the next of its queue and starts when a slot is free", reason(why, "slots"));
    return QK_OK;
}

static qk_status explain_pending(why *why)
{
    cli_workers workers = { 0, 0 };
    qk_status rc = explain_parents(why);
    bool ready = why->count == 0;
    if (!rc)
        rc = explain_queue(why);
    if (!rc)
        rc = cli_workers_count(why->cli, &workers, why->job->queue);
    if (!rc && !workers.alive)
        fprintf(reason(why, "no_worker"),
                "No worker is there for its queue \"%s\"; start queuack worker -q %s",
                why->job->queue, why->job->queue);
    if (!rc && !workers.alive && strcmp(why->job->kind, "command") != 0)
        fprintf(reason(why, "kind"), "It must be one that runs the kind \"%s\"", why->job->kind);
    if (!rc && ready)
        rc = explain_place(why, &workers);
    return rc;
}

static qk_status explain(why *why)
{
    switch (why->job->status) {
    case QK_JOB_PENDING:
        return explain_pending(why);
    case QK_JOB_DELAYED:
        explain_delay(why);
        return explain_queue(why);
    case QK_JOB_CLAIMED:
        explain_claim(why);
        return QK_OK;
    case QK_JOB_SKIPPED:
        return explain_skip(why);
    default:
        explain_end(why);
        return QK_OK;
    }
}

static void print_why(const why *why, const char *text, const char *codes)
{
    bool first = true;
    if (!why->cli->json) {
        cli_put_line(stdout, text);
        putchar('\n');
        return;
    }
    putchar('{');
    cli_json_key(stdout, &first, "id");
    cli_json_text(stdout, why->id);
    cli_json_key(stdout, &first, "status");
    cli_json_text(stdout, qk_job_status_name(why->job->status));
    cli_json_key(stdout, &first, "reasons");
    printf("[%s]", codes);
    cli_json_key(stdout, &first, "why");
    cli_json_text(stdout, text);
    puts("}");
}

static qk_status tell(why *why)
{
    char *text = NULL;
    char *codes = NULL;
    size_t size[2];
    qk_status rc = QK_ENOMEM;
    why->text = open_memstream(&text, &size[0]);
    why->codes = open_memstream(&codes, &size[1]);
    if (why->text && why->codes)
        rc = explain(why);
    if (why->text)
        fputc('.', why->text);
    bool good = why->text && fclose(why->text) == 0;
    good = (why->codes && fclose(why->codes) == 0) && good;
    if (!good || rc == QK_ENOMEM)
        rc = cli_error(&why->cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        print_why(why, text, codes);
    free(text);
    free(codes);
    return rc;
}

static qk_status run_why(cli *cli)
{
    qk_id id;
    qk_job *job = NULL;
    why why = { .cli = cli };
    qk_status rc = cli_open(cli, false);
    if (!rc)
        rc = cli_resolve(cli, &id, cli->words[0]);
    if (!rc)
        rc = qk_job_get(&job, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    why.job = job;
    qk_id_format(why.id, job->id);
    rc = tell(&why);
    qk_job_free(job);
    return rc;
}

const cli_command cli_cmd_jobs_why = {
    .name = "jobs why",
    .synopsis = "JOB",
    .summary = "Say what a job waits for",
    .help =
        "In sentences; with --json the keys id, status, reasons (an array of: parents, delayed,\n"
        "paused, concurrency, no_worker, kind, behind, slots, claimed, skipped, done, failed,\n"
        "cancelled) and why, the text.",
    .min_words = 1,
    .max_words = 1,
    .run = run_why,
};
