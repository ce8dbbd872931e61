/*
 * export FOLDER
 *
 * A view is read in pages by its key, so that neither the store nor this program holds more than a
 * page, and no query runs for long; each page goes to a file writer, which names the file at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <queuack/stream.h>

#include "commands.h"
#include "progress.h"
#include "text.h"
#include "values.h"

#define PAGE 20000
#define KEY_SIZE 80

/* A view and the columns that tell its rows apart: ids, or an id and a number. */
typedef struct view {
    const char *name, *key, *second;
} view;

static const view views[] = {
    { "jobs", "id", NULL },
    { "job_attempts", "job_id", "attempt" },
    { "job_dependencies", "child_job_id", "parent_job_id" },
    { "dag_runs", "id", NULL },
};
#define VIEW_COUNT (sizeof(views) / sizeof(views[0]))

typedef struct export
{
    cli *cli;
    const view *view;
    qk_writer *writer;
    qk_field *fields; /* names are the rows' until the writer has copied them */
    size_t key, second; /* columns */
    char after[KEY_SIZE], after_second[KEY_SIZE]; /* of the last row; "": none yet */
    uint64_t rows;
    cli_progress *progress;
}
export;

/* Numbers of the views are whole but for these. */
static qk_field_type type_of(qk_column_type type, const char *name)
{
    switch (type) {
    case QK_COLUMN_BOOL:
        return QK_FIELD_BOOL;
    case QK_COLUMN_NUMBER:
        return strcmp(name, "progress") == 0 || strcmp(name, "timeout_seconds") == 0
                   ? QK_FIELD_DOUBLE
                   : QK_FIELD_INT;
    case QK_COLUMN_TIME:
        return QK_FIELD_TIME;
    case QK_COLUMN_JSON:
        return QK_FIELD_JSON;
    default:
        return QK_FIELD_TEXT;
    }
}

static qk_status begin_file(export *e, const qk_rows *rows, const char *path)
{
    size_t count = qk_rows_column_count(rows);
    qk_stream_options options = QK_STREAM_OPTIONS_INIT;
    e->fields = calloc(count + 1, sizeof(*e->fields));
    if (!e->fields)
        return cli_error(&e->cli->err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        const char *name = qk_rows_column_name(rows, i);
        e->fields[i] = (qk_field){ name, type_of(qk_rows_column_type(rows, i), name) };
        if (strcmp(name, e->view->key) == 0)
            e->key = i;
        if (e->view->second && strcmp(name, e->view->second) == 0)
            e->second = i;
    }
    options.replace = cli_has(e->cli, "force");
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): export_view frees the fields */
    qk_status rc = qk_writer_open(&e->writer, path, e->fields, count, &options, &e->cli->err);
    if (rc == QK_ECONFLICT)
        cli_error(&e->cli->err, rc,
                  "%.400s exists: name another folder, or replace it with --force", path);
    return rc;
}

static qk_status put(export *e, const qk_rows *rows, size_t column)
{
    const char *text = qk_rows_text(rows, column);
    qk_error *err = &e->cli->err;
    if (!text)
        return QK_OK;
    switch (e->fields[column].type) {
    case QK_FIELD_BOOL:
        return qk_writer_bool(e->writer, column, strcmp(text, "true") == 0, err);
    case QK_FIELD_INT:
        return qk_writer_int(e->writer, column, strtoll(text, NULL, 10), err);
    case QK_FIELD_DOUBLE:
        return qk_writer_double(e->writer, column, strtod(text, NULL), err);
    case QK_FIELD_TIME:
        return qk_writer_time(e->writer, column, cli_time_read(text), err);
    default:
        return qk_writer_bytes(e->writer, column, text, qk_rows_length(rows, column), err);
    }
}

static qk_status put_row(export *e, const qk_rows *rows)
{
    qk_status rc = QK_OK;
    size_t count = qk_rows_column_count(rows);
    for (size_t i = 0; !rc && i < count; i++)
        rc = put(e, rows, i);
    if (rc)
        return rc;
    snprintf(e->after, sizeof(e->after), "%s", qk_rows_text(rows, e->key));
    if (e->view->second)
        snprintf(e->after_second, sizeof(e->after_second), "%s", qk_rows_text(rows, e->second));
    e->rows++;
    return qk_writer_row(e->writer, &e->cli->err);
}

/* What comes after the last row. Keys are ids and numbers of the store's own: nothing to quote. */
static void write_query(const export *e, char *out, size_t size)
{
    const view *v = e->view;
    int used = snprintf(out, size, "SELECT * FROM %s", v->name);
    if (*e->after && !v->second)
        used += snprintf(out + used, size - (size_t)used, " WHERE %s > '%s'", v->key, e->after);
    else if (*e->after)
        used += snprintf(out + used, size - (size_t)used,
                         " WHERE %s > '%s' OR (%s = '%s' AND %s > '%s')", v->key, e->after, v->key,
                         e->after, v->second, e->after_second);
    snprintf(out + used, size - (size_t)used, " ORDER BY %s%s%s LIMIT %d", v->key,
             v->second ? ", " : "", v->second ? v->second : "", PAGE);
}

static qk_status export_page(export *e, const char *path, uint64_t *count)
{
    char sql[1024];
    qk_rows *rows = NULL;
    uint64_t before = e->rows;
    write_query(e, sql, sizeof(sql));
    qk_status rc = qk_rows_open(&rows, e->cli->queue, sql, qk_us(0), &e->cli->err);
    if (!rc && !e->writer)
        rc = begin_file(e, rows, path);
    while (!rc) {
        rc = qk_rows_next(rows, &e->cli->err);
        if (rc == QK_EMPTY)
            break;
        if (!rc)
            rc = put_row(e, rows);
        if (!rc && cli_interrupted)
            rc = cli_error(&e->cli->err, QK_EINTERRUPTED, "interrupted: nothing was exported");
    }
    qk_rows_close(rows);
    *count = e->rows - before;
    cli_progress_at(e->progress, e->rows, 0, e->view->name);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static void print_file(const export *e, const char *path, bool first)
{
    const cli *cli = e->cli;
    if (cli->json) {
        fputs(first ? "[{\"view\":" : ",{\"view\":", stdout);
        cli_json_text(stdout, e->view->name);
        fputs(",\"path\":", stdout);
        cli_json_text(stdout, path);
        printf(",\"rows\":%llu}", (unsigned long long)e->rows);
    } else if (!cli->quiet) {
        cli_put_line(stdout, path);
        printf(": %llu rows\n", (unsigned long long)e->rows);
    }
}

static qk_status export_view(cli *cli, const view *view, const char *path, bool first)
{
    export e = { .cli = cli, .view = view };
    uint64_t count = PAGE;
    qk_status rc = QK_OK;
    e.progress = cli_progress_start(cli, "exporting", 0);
    while (!rc && count == PAGE)
        rc = export_page(&e, path, &count);
    if (!rc)
        rc = qk_writer_finish(e.writer, &cli->err);
    cli_progress_end(e.progress);
    qk_writer_close(e.writer);
    free(e.fields);
    if (!rc)
        print_file(&e, path, first);
    return rc;
}

static bool is_wanted(const cli *cli, const char *name)
{
    size_t at = 0;
    const char *text = cli_next_value(cli, "view", &at);
    bool wanted = !text;
    for (; text; text = cli_next_value(cli, "view", &at))
        wanted = wanted || strcmp(text, name) == 0;
    return wanted;
}

static qk_status check_views(cli *cli)
{
    size_t at = 0;
    const char *text;
    while ((text = cli_next_value(cli, "view", &at))) {
        cli_nearest nearest = { .word = text };
        bool found = false;
        for (size_t i = 0; i < VIEW_COUNT; i++) {
            cli_nearest_try(&nearest, views[i].name);
            found = found || strcmp(views[i].name, text) == 0;
        }
        const char *best = cli_nearest_found(&nearest);
        if (!found)
            return cli_error(&cli->err, QK_EINVAL, "--view %.60s: %s%s", text,
                             best ? "did you mean "
                                  : "use jobs, job_attempts, job_dependencies or "
                                    "dag_runs",
                             best ? best : "");
    }
    return QK_OK;
}

static qk_status check_format(cli *cli, const char **format)
{
    const char *text = cli_value(cli, "format");
    *format = text ? text : "parquet";
    if (strcmp(*format, "parquet") == 0 || strcmp(*format, "csv") == 0 ||
        strcmp(*format, "jsonl") == 0)
        return QK_OK;
    return cli_error(&cli->err, QK_EINVAL, "--format %.60s: use parquet, csv or jsonl", text);
}

static qk_status run_export(cli *cli)
{
    const char *folder = cli->words[0], *format = NULL;
    bool first = true;
    qk_status rc = check_format(cli, &format);
    if (!rc)
        rc = check_views(cli);
    if (!rc)
        rc = cli_open(cli, false);
    if (!rc && mkdir(folder, 0777) != 0 && errno != EEXIST)
        rc = cli_error_errno(&cli->err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                             "cannot make the folder %.300s", folder);
    cli_interrupts_defer(1);
    for (size_t i = 0; !rc && i < VIEW_COUNT; i++) {
        char *path = NULL;
        if (!is_wanted(cli, views[i].name))
            continue;
        if (asprintf(&path, "%s/%s.%s", folder, views[i].name, format) < 0)
            return cli_error(&cli->err, QK_ENOMEM, "out of memory");
        rc = export_view(cli, &views[i], path, first);
        first = false;
        free(path);
    }
    if (!rc && cli->json)
        puts("]");
    return rc;
}

static const cli_option options[] = {
    { "format", 0, "FORMAT", "parquet (default), csv or jsonl", false },
    { "view", 0, "VIEW", "Only this: jobs, job_attempts, job_dependencies, dag_runs", true },
    { "force", 0, NULL, "Replace files that exist", false },
    { 0 },
};

const cli_command cli_cmd_export = {
    .name = "export",
    .synopsis = "FOLDER [--format FORMAT] [--view VIEW]… [--force]",
    .summary = "Write jobs, attempts, dependencies and runs to files",
    .help =
        "A file per view, with the columns that queuack sql shows. Payloads and results are JSON,\n"
        "times UTC. Each file appears when it is complete and on disk; they are read one after the\n"
        "other, so that the later ones may know of more. For one moment of all take a backup.",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .run = run_export,
};
