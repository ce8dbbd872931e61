/*
 * See id_list.h.
 */
#include "id_list.h"

#include <stdlib.h>
#include <time.h>

#include "sql_text.h"
#include "text.h"

bool id_list_push(id_list *list, qk_id id)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        qk_id *ids = realloc(list->ids, capacity * sizeof(*ids));
        if (!ids)
            return false;
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return true;
}

static void add_condition(FILE *sql, const char *before, const char *value, const char *after)
{
    if (!value)
        return;
    fputs(before, sql);
    cli_sql_literal(sql, value);
    fputs(after, sql);
}

/* One query: pages of the list would each look at everything that is live again. */
static char *compose(const qk_job_filter *filter)
{
    char *text = NULL;
    size_t size = 0;
    char run[QK_ID_TEXT_SIZE];
    struct timespec now;
    FILE *sql = open_memstream(&text, &size);
    if (!sql)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    fputs("SELECT id FROM jobs WHERE status IN (''", sql);
    for (int i = 0; i < QK_JOB_STATUS_COUNT; i++) {
        if (filter->statuses >> i & 1u)
            fprintf(sql, ", '%s'", qk_job_status_name((qk_job_status)i));
    }
    fputs(")", sql);
    add_condition(sql, " AND queue = ", filter->queue, "");
    add_condition(sql, " AND kind = ", filter->kind, "");
    add_condition(sql, " AND list_contains(CAST(tags AS VARCHAR[]), ", filter->tag, ")");
    if (!qk_id_is_none(filter->run_id))
        fprintf(sql, " AND dag_run_id = '%s'", qk_id_format(run, filter->run_id));
    if (filter->older_than.us)
        fprintf(sql, " AND epoch_us(completed_at) <= %lld",
                (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000 -
                    (long long)filter->older_than.us);
    fputs(" ORDER BY id", sql);
    bool failed = ferror(sql) != 0;
    if (fclose(sql) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

qk_status id_list_gather(cli *cli, id_list *out, const qk_job_filter *filter)
{
    qk_rows *rows = NULL;
    qk_id id;
    char *sql = compose(filter);
    qk_status rc = sql ? qk_rows_open(&rows, cli->queue, sql, qk_seconds(600), &cli->err)
                       : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    free(sql);
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        if (qk_id_parse(&id, qk_rows_text(rows, 0)) == QK_OK && !id_list_push(out, id))
            rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

qk_status id_list_words(cli *cli, id_list *out)
{
    qk_status rc = cli_resolve_words(cli, &out->ids);
    out->count = out->capacity = rc ? 0 : cli->word_count;
    return rc;
}

static qk_status print_dry_json(cli *cli, const id_list *list)
{
    qk_status rc = QK_OK;
    const char *comma = "[";
    if (list->count == 0)
        putchar('[');
    for (size_t i = 0; i < list->count; i++) {
        char id[QK_ID_TEXT_SIZE];
        qk_job *job = NULL;
        rc = qk_job_get(&job, cli->queue, list->ids[i], &cli->err);
        if (rc)
            return rc;
        printf("%s{\"id\":\"%s\",\"status\":\"%s\",\"dry_run\":true}", comma,
               qk_id_format(id, job->id), qk_job_status_name(job->status));
        comma = ",\n";
        qk_job_free(job);
    }
    puts("]");
    return rc;
}

qk_status id_list_print_dry(cli *cli, const id_list *list, const char *verb)
{
    if (cli->json)
        return print_dry_json(cli, list);
    for (size_t i = 0; !cli->quiet && i < list->count; i++) {
        char id[QK_ID_TEXT_SIZE];
        puts(qk_id_format(id, list->ids[i]));
    }
    printf("%zu job%s would be %s\n", list->count, list->count == 1 ? "" : "s", verb);
    return QK_OK;
}

void id_list_dispose(id_list *list)
{
    free(list->ids);
    list->ids = NULL;
    list->count = list->capacity = 0;
}
