/*
 * Lines about finished jobs; see worker_lines.h. One lock guards the ring and the flags.
 */
#include "worker_lines.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job_out.h"
#include "values.h"

#define RING 1024

typedef struct ended {
    qk_id job;
    qk_verdict verdict;
    bool final, lost, has_exit_code;
    int exit_code, attempt;
    char error[160];
} ended;

struct worker_lines {
    const cli *cli;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    ended ring[RING];
    size_t first, count; /* guarded by lock */
    uint64_t dropped; /* guarded by lock */
    bool closing; /* guarded by lock */
    bool colours;
};

static const char *word_of(const ended *ended, const char **colour)
{
    *colour = "\033[31m";
    if (ended->lost)
        return "refused"; /* cancelled, timed out or handed to another meanwhile */
    if (ended->verdict == QK_VERDICT_FAIL && ended->final)
        return "failed";
    *colour = "\033[33m";
    if (ended->verdict == QK_VERDICT_FAIL)
        return "again"; /* a further attempt follows */
    if (ended->verdict == QK_VERDICT_NACK)
        return "returned";
    *colour = "\033[32m";
    return "done";
}

static void print_text(worker_lines *lines, const ended *ended, const qk_job *job)
{
    char id[QK_ID_TEXT_SIZE];
    char took[CLI_TIME_SIZE] = "";
    const char *colour;
    const char *word = word_of(ended, &colour);
    char *title = NULL;
    qk_id_format(id, ended->job);
    if (job) {
        title = cli_job_title(job->kind, job->name, job->payload);
        if (job->completed_at.us && job->claimed_at.us)
            cli_duration_text(took, job->completed_at.us - job->claimed_at.us);
    }
    flockfile(stderr);
    fprintf(stderr, "%s%-8s%s %s  ", lines->colours ? colour : "", word,
            lines->colours ? "\033[0m" : "", id + 24);
    cli_put_cut(stderr, title ? title : "?", 60);
    if (*took)
        fprintf(stderr, "  %s", took);
    if (ended->verdict == QK_VERDICT_FAIL && ended->error[0]) {
        fputs("  ", stderr);
        cli_put_line(stderr, ended->error);
    }
    fputc('\n', stderr);
    funlockfile(stderr);
    free(title);
}

static int64_t took_us(const qk_job *job)
{
    bool known = job && job->completed_at.us && job->claimed_at.us;
    return known ? job->completed_at.us - job->claimed_at.us : -1;
}

static void print_record(worker_lines *lines, const ended *ended, const qk_job *job)
{
    char id[QK_ID_TEXT_SIZE], event[32], message[128];
    qk_log_field fields[8];
    size_t count = 0;
    const char *colour;
    const char *word = word_of(ended, &colour);
    bool good = ended->verdict == QK_VERDICT_ACK && !ended->lost;
    /* What a further attempt takes is not known to belong to this one. */
    int64_t took = good || ended->final ? took_us(job) : -1;
    fields[count++] = (qk_log_field){ "job", qk_id_format(id, ended->job), 0 };
    if (job) {
        fields[count++] = (qk_log_field){ "kind", job->kind, 0 };
        fields[count++] = (qk_log_field){ "queue", job->queue, 0 };
    }
    if (job && job->name)
        fields[count++] = (qk_log_field){ "name", job->name, 0 };
    fields[count++] = (qk_log_field){ "attempt", NULL, ended->attempt };
    if (took >= 0)
        fields[count++] = (qk_log_field){ "took_us", NULL, took };
    if (ended->has_exit_code)
        fields[count++] = (qk_log_field){ "exit_code", NULL, ended->exit_code };
    if (ended->verdict == QK_VERDICT_FAIL && ended->error[0])
        fields[count++] = (qk_log_field){ "error", ended->error, 0 };
    snprintf(event, sizeof(event), "job.%s", word);
    snprintf(message, sizeof(message), "%s: %s", id, word);
    cli_log_record(lines->cli, good ? QK_LOG_INFO : QK_LOG_WARN, event, fields, count, message);
}

static void print_line(worker_lines *lines, const ended *ended)
{
    qk_job *job = NULL;
    qk_error ignored = QK_ERROR_INIT;
    if (qk_job_get(&job, lines->cli->queue, ended->job, &ignored) != QK_OK)
        job = NULL;
    if (lines->cli->log_records)
        print_record(lines, ended, job);
    else
        print_text(lines, ended, job);
    qk_job_free(job);
}

static void print_dropped(const worker_lines *lines, unsigned long long dropped)
{
    if (lines->cli->log_records) {
        qk_log_field field = { "count", NULL, (int64_t)dropped };
        cli_log_record(lines->cli, QK_LOG_INFO, "job.more", &field, 1, "further jobs ended");
    } else {
        fprintf(stderr, "…        and %llu more\n", dropped);
    }
}

static void *print_lines(void *arg)
{
    worker_lines *lines = arg;
    pthread_mutex_lock(&lines->lock);
    for (;;) {
        while (lines->count == 0 && lines->dropped == 0 && !lines->closing)
            pthread_cond_wait(&lines->wake, &lines->lock);
        if (lines->count == 0 && lines->dropped == 0)
            break;
        if (lines->count) {
            ended next = lines->ring[lines->first];
            lines->first = (lines->first + 1) % RING;
            lines->count--;
            pthread_mutex_unlock(&lines->lock);
            print_line(lines, &next);
        } else {
            unsigned long long dropped = lines->dropped;
            lines->dropped = 0;
            pthread_mutex_unlock(&lines->lock);
            print_dropped(lines, dropped);
        }
        pthread_mutex_lock(&lines->lock);
    }
    pthread_mutex_unlock(&lines->lock);
    return NULL;
}

qk_status worker_lines_open(worker_lines **out, const cli *cli, qk_error *err)
{
    worker_lines *lines = calloc(1, sizeof(*lines));
    if (!lines)
        return cli_error(err, QK_ENOMEM, "out of memory");
    const char *none = getenv("NO_COLOR");
    lines->cli = cli;
    lines->colours = isatty(STDERR_FILENO) == 1 && !(none && *none);
    pthread_mutex_init(&lines->lock, NULL);
    pthread_cond_init(&lines->wake, NULL);
    int failed = pthread_create(&lines->thread, NULL, print_lines, lines);
    if (failed) {
        free(lines);
        return cli_error_errno(err, QK_ENOMEM, failed, "cannot start a thread");
    }
    *out = lines;
    return QK_OK;
}

void worker_lines_add(void *arg, const qk_outcome *outcome, bool final, qk_status status)
{
    worker_lines *lines = arg;
    pthread_mutex_lock(&lines->lock);
    if (lines->count == RING) {
        lines->dropped++;
    } else {
        ended *slot = &lines->ring[(lines->first + lines->count++) % RING];
        *slot = (ended){
            .job = outcome->lease.job,
            .verdict = outcome->verdict,
            .final = final,
            .lost = status != QK_OK,
            .has_exit_code = outcome->has_exit_code,
            .exit_code = outcome->exit_code,
            .attempt = outcome->lease.attempt,
        };
        if (outcome->error)
            snprintf(slot->error, sizeof(slot->error), "%s", outcome->error);
    }
    pthread_cond_signal(&lines->wake);
    pthread_mutex_unlock(&lines->lock);
}

void worker_lines_close(worker_lines *lines)
{
    if (!lines)
        return;
    pthread_mutex_lock(&lines->lock);
    lines->closing = true;
    pthread_cond_signal(&lines->wake);
    pthread_mutex_unlock(&lines->lock);
    pthread_join(lines->thread, NULL);
    pthread_cond_destroy(&lines->wake);
    pthread_mutex_destroy(&lines->lock);
    free(lines);
}
