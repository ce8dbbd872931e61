/*
 * Gathering what top shows; see top.h.
 */
#include "top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alive.h"
#include "job_out.h"
#include "sql_text.h"
#include "values.h"

static const top_column queue_columns[] = {
    { "queue", false, 0 }, { "waiting", true, 9 }, { "running", true, 9 }, { "done", true, 11 },
    { "failed", true, 9 }, { "at most", true, 8 }, { "state", false, 8 },
};
static const top_column worker_columns[] = {
    { "worker", false, 0 },
    { "queues", false, 20 },
    { "slots", true, 7 },
    { "seen", true, 8 },
};
static const top_column running_columns[] = {
    { "job", false, 12 },    { "queue", false, 12 }, { "what", false, 0 },
    { "worker", false, 16 }, { "for", true, 8 },     { "progress", true, 8 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void top_data_init(top_data *data, const cli *cli)
{
    memset(data, 0, sizeof(*data));
    snprintf(data->path, sizeof(data->path), "%.250s", cli_store_url(cli));
    data->done_rate = -1;
    data->section[TOP_QUEUES] =
        (top_section){ "queues", queue_columns, COUNT(queue_columns), NULL, 0, 0 };
    data->section[TOP_WORKERS] =
        (top_section){ "workers", worker_columns, COUNT(worker_columns), NULL, 0, 0 };
    data->section[TOP_RUNNING] =
        (top_section){ "running jobs", running_columns, COUNT(running_columns), NULL, 0, 0 };
}

static void clear(top_section *section)
{
    for (size_t i = 0; i < section->count; i++) {
        for (size_t c = 0; c < TOP_COLUMNS_MAX; c++)
            free(section->rows[i].cell[c]);
    }
    section->count = 0;
}

void top_data_dispose(top_data *data)
{
    for (size_t i = 0; i < TOP_PARTS; i++) {
        clear(&data->section[i]);
        free(data->section[i].rows);
    }
}

/* A row to be filled; NULL: out of memory, and the row is left out. */
static top_row *add_row(top_section *section)
{
    if (section->count == section->capacity) {
        size_t capacity = section->capacity ? section->capacity * 2 : 16;
        top_row *rows = realloc(section->rows, capacity * sizeof(*rows));
        if (!rows)
            return NULL;
        section->rows = rows;
        section->capacity = capacity;
    }
    top_row *row = &section->rows[section->count++];
    memset(row, 0, sizeof(*row));
    return row;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static char *number(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return strdup(text);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* How long ago, in whole seconds. */
static char *age(const char *time_text)
{
    char text[CLI_TIME_SIZE];
    qk_time time = cli_time_read(time_text);
    int64_t spent = now_us() - time.us;
    if (!time.us)
        return NULL;
    return strdup(cli_duration_text(text, spent > 0 ? spent / 1000000 * 1000000 : 0));
}

static const qk_queue_stats *stats_of(const qk_stats *stats, const char *name)
{
    for (size_t i = 0; i < stats->count; i++) {
        if (strcmp(stats->queues[i].name, name) == 0)
            return &stats->queues[i];
    }
    return NULL;
}

static qk_status look_at_queues(cli *cli, top_data *data)
{
    qk_stats *stats = NULL;
    qk_rows *rows = NULL;
    qk_status rc = qk_stats_get(&stats, cli->queue, &cli->err);
    memset(data->counts, 0, sizeof(data->counts));
    for (size_t i = 0; !rc && i < stats->count; i++) {
        for (size_t s = 0; s < QK_JOB_STATUS_COUNT; s++)
            data->counts[s] += stats->queues[i].counts[s];
    }
    if (!rc)
        rc = cli_sql_open(cli, &rows,
                          "SELECT name, waiting, claimed, concurrency, paused FROM queues ORDER BY "
                          "name");
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *name = qk_rows_text(rows, 0);
        const qk_queue_stats *counts = name ? stats_of(stats, name) : NULL;
        const char *paused = qk_rows_text(rows, 4);
        top_row *row = add_row(&data->section[TOP_QUEUES]);
        if (!row)
            continue;
        row->cell[0] = copy(name);
        row->cell[1] = copy(qk_rows_text(rows, 1));
        row->cell[2] = copy(qk_rows_text(rows, 2));
        row->cell[3] = number(counts ? counts->counts[QK_JOB_DONE] : 0);
        row->cell[4] = number(counts ? counts->counts[QK_JOB_FAILED] : 0);
        row->cell[5] = copy(qk_rows_text(rows, 3));
        row->alert = paused && paused[0] == 't';
        row->cell[6] = row->alert ? strdup("paused") : NULL;
    }
    qk_rows_close(rows);
    qk_stats_free(stats);
    return rc == QK_EMPTY ? QK_OK : rc;
}

/* ["a","b"] as a, b. */
static char *plain_list(const char *json)
{
    char *text = copy(json);
    size_t used = 0;
    for (size_t i = 0; text && text[i]; i++) {
        if (!strchr("[]\"", text[i]))
            text[used++] = text[i];
    }
    if (text)
        text[used] = '\0';
    return text;
}

static qk_status look_at_workers(cli *cli, top_data *data)
{
    qk_rows *rows = NULL;
    qk_status rc =
        cli_sql_open(cli, &rows,
                     "SELECT id, queues, running, slots, heartbeat_at, host, pid FROM workers "
                     "ORDER BY started_at");
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *running = qk_rows_text(rows, 2);
        const char *slots = qk_rows_text(rows, 3);
        const char *seen = qk_rows_text(rows, 4);
        char used[32];
        top_row *row = add_row(&data->section[TOP_WORKERS]);
        if (!row)
            continue;
        snprintf(used, sizeof(used), "%s/%s", running ? running : "?", slots ? slots : "?");
        row->cell[0] = copy(qk_rows_text(rows, 0));
        row->cell[1] = plain_list(qk_rows_text(rows, 1));
        row->cell[2] = strdup(used);
        row->cell[3] = age(seen);
        row->alert = !cli_worker_alive(qk_rows_text(rows, 5), qk_rows_text(rows, 6), seen);
        if (row->alert) {
            free(row->cell[3]);
            row->cell[3] = strdup("gone");
        }
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static qk_status look_at_running(cli *cli, top_data *data)
{
    qk_rows *rows = NULL;
    qk_status rc = cli_sql_open(cli, &rows,
                                "SELECT id, queue, kind, name, payload, claimed_by, claimed_at, "
                                "progress FROM jobs WHERE status = 'claimed' ORDER BY claimed_at "
                                "LIMIT 200");
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *id = qk_rows_text(rows, 0);
        const char *kind = qk_rows_text(rows, 2);
        const char *progress = qk_rows_text(rows, 7);
        char part[16];
        top_row *row = add_row(&data->section[TOP_RUNNING]);
        if (!row)
            continue;
        snprintf(part, sizeof(part), "%.0f %%", progress ? strtod(progress, NULL) * 100 : 0);
        row->cell[0] = copy(id && strlen(id) > 24 ? id + 24 : id);
        row->cell[1] = copy(qk_rows_text(rows, 1));
        row->cell[2] =
            cli_job_title(kind ? kind : "", qk_rows_text(rows, 3), qk_rows_text(rows, 4));
        row->cell[3] = copy(qk_rows_text(rows, 5));
        row->cell[4] = age(qk_rows_text(rows, 6));
        row->cell[5] = progress ? strdup(part) : NULL;
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static void measure_rate(top_data *data, qk_time taken)
{
    uint64_t ended = data->counts[QK_JOB_DONE] + data->counts[QK_JOB_FAILED];
    double seconds = (double)(taken.us - data->taken.us) / 1e6;
    data->done_rate = data->taken.us && seconds > 0 && ended >= data->ended_before
                          ? (double)(ended - data->ended_before) / seconds
                          : -1;
    data->ended_before = ended;
    data->taken = taken;
}

qk_status top_data_look(cli *cli, top_data *data)
{
    cli->owner_wait = qk_ms(1);
    qk_status rc = cli_open(cli, false);
    data->busy = rc == QK_EBUSY;
    if (rc)
        return data->busy ? QK_OK : rc;
    for (size_t i = 0; i < TOP_PARTS; i++)
        clear(&data->section[i]);
    rc = look_at_queues(cli, data);
    if (!rc)
        rc = look_at_workers(cli, data);
    if (!rc)
        rc = look_at_running(cli, data);
    cli_close(cli);
    if (!rc)
        measure_rate(data, (qk_time){ now_us() });
    return rc;
}

void top_data_totals(const top_data *data, char *out, size_t size)
{
    const uint64_t *counts = data->counts;
    int used = snprintf(
        out, size, "waiting %llu  delayed %llu  running %llu  done %llu  failed %llu",
        (unsigned long long)counts[QK_JOB_PENDING], (unsigned long long)counts[QK_JOB_DELAYED],
        (unsigned long long)counts[QK_JOB_CLAIMED], (unsigned long long)counts[QK_JOB_DONE],
        (unsigned long long)counts[QK_JOB_FAILED]);
    if (data->done_rate >= 0 && used > 0 && (size_t)used < size)
        snprintf(out + used, size - (size_t)used, "  (%.1f/s)", data->done_rate);
}
