/*
 * jobs list, show, result, logs: commands that look.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "filter.h"
#include "job_out.h"
#include "list.h"
#include "logs_follow.h"
#include "rows.h"
#include "values.h"

static void say_more(const cli *cli, const qk_job_list *list)
{
    char id[QK_ID_TEXT_SIZE];
    if (list->more && list->count)
        cli_note(cli, "there are more: --before %s shows the next",
                 qk_id_format(id, list->items[list->count - 1].id));
}

qk_status cli_list_jobs(cli *cli, bool dead)
{
    qk_job_list *list = NULL;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    qk_status rc = cli_filter_read(cli, &filter);
    if (!rc)
        rc = cli_open(cli, false);
    if (!rc)
        rc = cli_filter_before(cli, &filter);
    if (!rc)
        rc = dead ? qk_dead_letters(&list, cli->queue, &filter, &cli->err)
                  : qk_job_list_get(&list, cli->queue, &filter, &cli->err);
    if (rc)
        return rc;
    if (cli->json)
        cli_jobs_json(stdout, list);
    else if (list->count)
        rc = cli_jobs_table(list, &cli->err);
    else
        cli_note(cli, dead ? "there are no failed jobs" : "there are no such jobs");
    if (!cli->json)
        say_more(cli, list);
    qk_job_list_free(list);
    return rc;
}

static qk_status run_list(cli *cli)
{
    return cli_list_jobs(cli, false);
}

static const cli_option list_options[] = {
    CLI_STATUS_OPTION,
    CLI_FILTER_OPTIONS,
    CLI_PAGE_OPTIONS,
    { 0 },
};

const cli_command cli_cmd_jobs_list = {
    .name = "jobs list",
    .synopsis = "[FILTER]…",
    .summary = "List jobs, the latest first",
    .options = list_options,
    .run = run_list,
};

/* Opens the store and resolves the command's first word. */
static qk_status open_job(cli *cli, qk_id *out)
{
    qk_status rc = cli_open(cli, false);
    return rc ? rc : cli_resolve(cli, out, cli->words[0]);
}

static qk_status show_rows(cli *cli, const char *heading, const char *sql)
{
    printf("\n%s%s%s\n", cli_colour_on(CLI_BOLD), heading, cli_colour_off());
    return cli_print_rows(cli, NULL, sql, qk_us(0));
}

/* A number from one row of one column; 0 if there is none. */
static long long count_of(cli *cli, const char *sql)
{
    qk_rows *rows = NULL;
    qk_error ignored = QK_ERROR_INIT;
    long long count = 0;
    if (qk_rows_open(&rows, cli->queue, sql, qk_us(0), &ignored) == QK_OK &&
        qk_rows_next(rows, &ignored) == QK_OK && qk_rows_text(rows, 0))
        count = strtoll(qk_rows_text(rows, 0), NULL, 10);
    qk_rows_close(rows);
    return count;
}

static qk_status show_related(cli *cli, qk_id id)
{
    char text[QK_ID_TEXT_SIZE];
    char sql[512];
    qk_status rc = QK_OK;
    qk_id_format(text, id);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM job_attempts WHERE job_id = '%s'", text);
    if (count_of(cli, sql) > 0) {
        snprintf(sql, sizeof(sql),
                 "SELECT attempt, outcome, claimed_at, finished_at, exit_code, error "
                 "FROM job_attempts WHERE job_id = '%s' ORDER BY attempt",
                 text);
        rc = show_rows(cli, "attempts", sql);
    }
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM job_dependencies WHERE child_job_id = '%s'",
             text);
    if (!rc && count_of(cli, sql) > 0) {
        snprintf(sql, sizeof(sql),
                 "SELECT parent_job_id FROM job_dependencies WHERE child_job_id = '%s'", text);
        rc = show_rows(cli, "needs", sql);
    }
    return rc;
}

static qk_status run_show(cli *cli)
{
    qk_id id;
    qk_job *job = NULL;
    qk_status rc = open_job(cli, &id);
    if (!rc)
        rc = qk_job_get(&job, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    if (cli->json) {
        cli_job_json(stdout, job);
        putchar('\n');
    } else {
        cli_job_page(job);
        rc = show_related(cli, id);
    }
    qk_job_free(job);
    return rc;
}

const cli_command cli_cmd_jobs_show = {
    .name = "jobs show",
    .synopsis = "JOB",
    .summary = "Show a job with its attempts",
    .help = "JOB: an id, its last 6 or more hex digits, @1 (the latest), @2 (the one before) …",
    .min_words = 1,
    .max_words = 1,
    .run = run_show,
};

static qk_status run_result(cli *cli)
{
    qk_id id;
    char *result = NULL;
    qk_status rc = open_job(cli, &id);
    if (!rc)
        rc = qk_result(&result, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    cli_put_block(stdout, result ? result : "null", cli->json || !cli_is_terminal());
    putchar('\n');
    free(result);
    return QK_OK;
}

const cli_command cli_cmd_jobs_result = {
    .name = "jobs result",
    .synopsis = "JOB",
    .summary = "Print the result of a job that is done, as JSON",
    .min_words = 1,
    .max_words = 1,
    .run = run_result,
};

/* The log tails of the attempts that `sql` selects. */
static qk_status print_logs(cli *cli, const char *sql)
{
    qk_rows *rows = NULL;
    bool any = false;
    qk_status rc = qk_rows_open(&rows, cli->queue, sql, qk_us(0), &cli->err);
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *text = qk_rows_text(rows, 0);
        if (!text)
            continue;
        size_t length = strlen(text);
        any = true;
        cli_put_block(stdout, text, !cli_is_terminal());
        if (length && text[length - 1] != '\n')
            putchar('\n');
    }
    qk_rows_close(rows);
    if (rc == QK_EMPTY)
        rc = QK_OK;
    if (!rc && !any)
        cli_note(cli, "the job left no output");
    return rc;
}

/* Its number; 0: there is none. */
static qk_status last_attempt(cli *cli, int *attempt, const char *id)
{
    qk_rows *rows = NULL;
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT coalesce(max(attempt), 0) FROM job_attempts WHERE job_id = '%s'", id);
    qk_status rc = qk_rows_open(&rows, cli->queue, sql, qk_us(0), &cli->err);
    if (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK)
        *attempt = (int)strtol(qk_rows_text(rows, 0), NULL, 10);
    qk_rows_close(rows);
    return rc;
}

/* --stream: exactly what it wrote there. When nothing is kept beside the store, what is stored is all
 * of its standard output. */
static qk_status print_stream(cli *cli, qk_id job, int attempt, const char *name)
{
    char text[QK_ID_TEXT_SIZE], sql[160];
    bool is_err = strcmp(name, "stderr") == 0;
    qk_id_format(text, job);
    qk_status rc = attempt ? QK_OK : last_attempt(cli, &attempt, text);
    if (rc || attempt == 0)
        return rc;
    rc = logs_print(cli, job, attempt, is_err ? QK_STREAM_ERR : QK_STREAM_OUT);
    if (rc != QK_ENOTFOUND || is_err)
        return rc == QK_ENOTFOUND ? QK_OK : rc;
    snprintf(sql, sizeof(sql),
             "SELECT log_tail FROM job_attempts WHERE job_id = '%s' AND attempt = %d", text,
             attempt);
    return print_logs(cli, sql);
}

static qk_status print_attempts(cli *cli, qk_id job, int attempt)
{
    char sql[512];
    char text[QK_ID_TEXT_SIZE];
    char which[160] = "";
    qk_id_format(text, job);
    if (attempt)
        snprintf(which, sizeof(which), " AND attempt = %d", attempt);
    else if (!cli_has(cli, "all"))
        snprintf(which, sizeof(which),
                 " AND attempt = (SELECT max(attempt) FROM job_attempts WHERE job_id = '%s')",
                 text);
    snprintf(sql, sizeof(sql), "SELECT %s FROM job_attempts WHERE job_id = '%s'%s ORDER BY attempt",
             cli->json ? "job_id, attempt, worker_id, claimed_at, finished_at, outcome, error, "
                         "exit_code, log_tail"
                       : "log_tail",
             text, which);
    return cli->json ? cli_print_rows(cli, NULL, sql, qk_us(0)) : print_logs(cli, sql);
}

static qk_status read_logs_options(cli *cli, int *attempt)
{
    const char *given = cli_value(cli, "attempt"), *stream = cli_value(cli, "stream");
    if (stream && strcmp(stream, "stdout") != 0 && strcmp(stream, "stderr") != 0)
        return cli_error(&cli->err, QK_EINVAL, "--stream: there is no \"%s\": use stdout or stderr",
                         stream);
    if (stream && (cli->json || cli_has(cli, "follow") || cli_has(cli, "all")))
        return cli_error(
            &cli->err, QK_EINVAL,
            "--stream prints one attempt as it was written: leave out --json, --follow "
            "and --all");
    return given ? cli_parse_int(attempt, "--attempt", given, 1, INT_MAX, &cli->err) : QK_OK;
}

static qk_status run_logs(cli *cli)
{
    qk_id id;
    qk_job *job = NULL;
    int attempt = 0;
    qk_status rc = read_logs_options(cli, &attempt);
    if (!rc && cli_has(cli, "follow")) {
        rc = logs_follow(cli, cli->words[0], attempt);
        if (rc != QK_EMPTY)
            return rc;
        rc = cli_resolve(cli, &id, cli->words[0]); /* the store is open now */
    } else if (!rc) {
        rc = open_job(cli, &id);
    }
    if (!rc)
        rc = qk_job_get(&job, cli->queue, id, &cli->err);
    if (rc)
        return rc;
    qk_job_free(job);
    const char *stream = cli_value(cli, "stream");
    return stream ? print_stream(cli, id, attempt, stream) : print_attempts(cli, id, attempt);
}

static const cli_option logs_options[] = {
    { "attempt", 0, "N", "Of this attempt (default: the last)", false },
    { "all", 0, NULL, "Of all attempts", false },
    { "follow", 'f', NULL, "While it runs: print what it writes until it ends", false },
    { "stream", 0, "STREAM", "Only stdout or stderr, of which 1 MiB is kept (head and tail)",
      false },
    { 0 },
};

const cli_command cli_cmd_jobs_logs = {
    .name = "jobs logs",
    .synopsis = "JOB [--attempt N | --all] [-f | --stream STREAM]",
    .summary = "Print the last output of a job",
    .options = logs_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_logs,
};
