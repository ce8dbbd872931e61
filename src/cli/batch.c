/*
 * enqueue --batch FILE: two passes over the lines. The first checks all of them and hashes the
 * content, the second enqueues them in commits of 10,000. Between the two the store is opened. What
 * a commit holds is all or nothing; a batch broken off between commits is completed by giving it
 * again, because its ids were fixed before (batch_ids.h).
 */
#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "batch_ids.h"
#include "batch_input.h"
#include "batch_line.h"
#include "batch_needs.h"
#include "job_args.h"
#include "progress.h"

#define COMMIT_LINES 10000

typedef struct batch {
    cli *cli;
    batch_input input;
    arena arena;
    job_args args;
    batch_defaults defaults;
    char *folder;
    batch_references given, needs;
    uint64_t total; /* jobs in the file */
    uint64_t first_derived, first_plain; /* lines without id, also without unique key; 0: none */
    batch_ids ids;
    batch_job *jobs; /* the commit being gathered */
    qk_job_spec *specs;
    qk_enqueued *done;
    uint64_t *lines;
    size_t count;
    uint64_t enqueued, duplicates;
    cli_progress *progress;
} batch;

static qk_status name_line(qk_error *err, uint64_t line)
{
    char copy[QK_ERROR_MESSAGE_SIZE];
    qk_status code = err->code;
    memcpy(copy, err->message, sizeof(copy));
    return cli_error(err, code, "line %llu: %.470s", (unsigned long long)line, copy);
}

/* The present folder as a JSON string, and the defaults from the command line. */
static qk_status read_defaults(batch *batch)
{
    char *folder = NULL;
    cli *cli = batch->cli;
    qk_status rc = job_args_read(cli, &batch->args);
    if (!rc)
        rc = job_args_folder(cli, &folder);
    if (rc)
        return rc;
    json_t *string = json_string(folder);
    batch->folder = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    free(folder);
    if (!batch->folder)
        return cli_error(&cli->err, QK_EINVAL,
                         "the folder's name is not UTF-8: choose one with -C");
    batch->defaults.options = batch->args.options;
    batch->defaults.folder = batch->folder;
    return QK_OK;
}

/* What else decides what the jobs are, so that the same lines with another queue are other jobs. */
static void hash_options(const cli *cli, sha256 *hash)
{
    static const char *const without[] = { "db", "json", "quiet", "verbose", "batch", "again" };
    for (size_t i = 0; i < cli->given_count; i++) {
        const cli_given *given = &cli->given[i];
        bool counts = given->value != NULL;
        for (size_t w = 0; w < sizeof(without) / sizeof(without[0]); w++)
            counts = counts && strcmp(given->option->name, without[w]) != 0;
        if (!counts)
            continue;
        sha256_add(hash, given->option->name, strlen(given->option->name) + 1);
        sha256_add(hash, given->value, strlen(given->value) + 1);
    }
}

static qk_status note_job(batch *batch, const batch_job *job)
{
    uint64_t line = batch->input.line;
    const qk_job_options *options = &job->options;
    qk_error *err = &batch->cli->err;
    qk_status rc = QK_OK;
    batch->total++;
    if (line > BATCH_LINES_MAX)
        return cli_error(err, QK_ETOOLARGE, "more than %llu lines: split the file",
                         (unsigned long long)BATCH_LINES_MAX);
    if (!qk_id_is_none(options->id)) {
        rc = batch_reference_add(&batch->given, options->id, line, err);
    } else {
        if (!batch->first_derived)
            batch->first_derived = line;
        if (!batch->first_plain && !options->unique_key)
            batch->first_plain = line;
    }
    for (size_t i = 0; i < options->needs_count && !rc; i++)
        rc = batch_reference_add(&batch->needs, options->needs[i], line, err);
    return rc;
}

static qk_status check_lines(batch *batch)
{
    char *text;
    size_t length;
    batch_job job;
    qk_error *err = &batch->cli->err;
    qk_status rc;
    while ((rc = batch_input_fill(&batch->input, err)) == QK_OK) {
        while (batch_input_line(&batch->input, &text, &length)) {
            rc = batch_line_parse(&job, &batch->arena, &batch->defaults, text, length, err);
            if (rc == QK_EMPTY)
                continue;
            if (rc)
                return name_line(err, batch->input.line);
            rc = note_job(batch, &job);
            if (rc)
                return rc;
        }
        arena_reset(&batch->arena);
    }
    return rc == QK_EMPTY ? QK_OK : rc;
}

/* First pass; leaves the seed of the ids. */
static qk_status check_batch(batch *batch)
{
    sha256 hash;
    struct stat before;
    struct stat after;
    uint8_t digest[32];
    sha256_init(&hash);
    hash_options(batch->cli, &hash);
    batch->input.hash = &hash;
    fstat(batch->input.fd, &before);
    qk_status rc = check_lines(batch);
    batch->input.hash = NULL;
    if (rc)
        return rc;
    fstat(batch->input.fd, &after);
    if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
        before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
        return cli_error(&batch->cli->err, QK_ECONFLICT,
                         "the batch changed while it was read: give it again once it is complete");
    sha256_end(&hash, digest);
    for (int i = 0; i < 8; i++)
        batch->ids.seed = batch->ids.seed << 8 | digest[i];
    return batch_input_rewind(&batch->input, &batch->cli->err);
}

static qk_status fix_ids(batch *batch)
{
    qk_id fresh = qk_id_new();
    qk_status rc = QK_OK;
    if (cli_has(batch->cli, "again"))
        memcpy(&batch->ids.seed, fresh.bytes + 8, 8);
    if (batch->first_derived)
        rc = batch_ids_resume(&batch->ids, batch->cli, batch->first_derived);
    if (!rc && !batch->ids.found && batch->first_plain &&
        batch->first_plain != batch->first_derived)
        rc = batch_ids_resume(&batch->ids, batch->cli, batch->first_plain);
    return rc;
}

/* "job 17: …" of the library becomes the line it was. */
static qk_status translate(batch *batch, qk_status rc)
{
    char copy[QK_ERROR_MESSAGE_SIZE];
    qk_error *err = &batch->cli->err;
    unsigned long index;
    int used = 0;
    const char *text = err->message;
    uint64_t line = 0;
    /* Our own library wrote it. NOLINTNEXTLINE(cert-err34-c) */
    if (sscanf(text, "job %lu: %n", &index, &used) == 1 && used > 0 && index < batch->count) {
        line = batch->lines[index];
        text += used;
    }
    snprintf(copy, sizeof(copy), "%s", text);
    uint64_t before = batch->enqueued + batch->duplicates;
    if (line)
        cli_error(err, rc, "line %llu: %.300s", (unsigned long long)line, copy);
    else
        cli_error(err, rc, "%.330s", copy);
    if (before) {
        size_t length = strlen(err->message);
        snprintf(err->message + length, sizeof(err->message) - length,
                 " (%llu of %llu lines are in: give the same batch again to complete it)",
                 (unsigned long long)before, (unsigned long long)batch->total);
    }
    return rc;
}

static qk_status commit(batch *batch)
{
    if (batch->count == 0)
        return QK_OK;
    for (size_t i = 0; i < batch->count; i++) {
        batch_job *job = &batch->jobs[i];
        if (i > 0 && strcmp(job->kind, batch->jobs[i - 1].kind) == 0)
            job->kind = batch->jobs[i - 1].kind; /* the library compares addresses first */
        batch->specs[i] = (qk_job_spec){ job->kind, job->payload, &job->options };
    }
    qk_status rc = qk_enqueue_batch(batch->done, batch->cli->queue, batch->specs, batch->count,
                                    &batch->cli->err);
    if (rc)
        return translate(batch, rc);
    for (size_t i = 0; i < batch->count; i++) {
        batch->duplicates += batch->done[i].duplicate;
        batch->enqueued += !batch->done[i].duplicate;
    }
    batch->count = 0;
    if (cli_interrupted && batch->enqueued + batch->duplicates < batch->total) {
        snprintf(batch->cli->err.message, sizeof(batch->cli->err.message), "interrupted");
        return translate(batch, QK_EINTERRUPTED);
    }
    cli_progress_at(batch->progress, batch->enqueued + batch->duplicates, batch->total, NULL);
    return QK_OK;
}

static qk_status add_line(batch *batch, char *text, size_t length)
{
    batch_job *job = &batch->jobs[batch->count];
    uint64_t line = batch->input.line;
    qk_status rc =
        batch_line_parse(job, &batch->arena, &batch->defaults, text, length, &batch->cli->err);
    if (rc == QK_EMPTY)
        return QK_OK;
    if (rc)
        return cli_error(&batch->cli->err, QK_ECONFLICT,
                         "the batch changed while it was read, at line %llu: give it again",
                         (unsigned long long)line);
    if (qk_id_is_none(job->options.id))
        job->options.id = batch_id(&batch->ids, line);
    batch->lines[batch->count++] = line;
    return batch->count == COMMIT_LINES ? commit(batch) : QK_OK;
}

/* Second pass. */
static qk_status enqueue_lines(batch *batch)
{
    char *text;
    size_t length;
    qk_status rc;
    if (batch->total)
        batch->progress = cli_progress_start(batch->cli, "enqueueing", batch->total);
    while ((rc = batch_input_fill(&batch->input, &batch->cli->err)) == QK_OK) {
        while (!rc && batch_input_line(&batch->input, &text, &length)) {
            rc = add_line(batch, text, length);
            if (!rc && batch->count == 0)
                arena_reset(&batch->arena);
        }
        if (!rc)
            rc = commit(batch);
        arena_reset(&batch->arena);
        if (rc)
            break;
    }
    cli_progress_end(batch->progress);
    batch->progress = NULL;
    return rc == QK_EMPTY ? QK_OK : rc;
}

static qk_status make_arrays(batch *batch)
{
    batch->jobs = calloc(COMMIT_LINES, sizeof(*batch->jobs));
    batch->specs = calloc(COMMIT_LINES, sizeof(*batch->specs));
    batch->done = calloc(COMMIT_LINES, sizeof(*batch->done));
    batch->lines = calloc(COMMIT_LINES, sizeof(*batch->lines));
    if (!batch->jobs || !batch->specs || !batch->done || !batch->lines)
        return cli_error(&batch->cli->err, QK_ENOMEM, "out of memory");
    return QK_OK;
}

static void print_summary(const batch *batch)
{
    unsigned long long enqueued = batch->enqueued;
    unsigned long long duplicates = batch->duplicates;
    if (batch->cli->json) {
        printf("{\"enqueued\":%llu,\"duplicates\":%llu}\n", enqueued, duplicates);
        return;
    }
    printf("%llu job%s enqueued", enqueued, enqueued == 1 ? "" : "s");
    if (duplicates)
        printf(", %llu duplicate%s", duplicates, duplicates == 1 ? "" : "s");
    putchar('\n');
    if (batch->total && duplicates == batch->total)
        cli_note(batch->cli, "this batch was enqueued before: --again enqueues it once more");
}

static void dispose(batch *batch)
{
    batch_input_close(&batch->input);
    arena_dispose(&batch->arena);
    job_args_dispose(&batch->args);
    free(batch->folder);
    free(batch->given.items);
    free(batch->needs.items);
    free(batch->jobs);
    free(batch->specs);
    free(batch->done);
    free(batch->lines);
}

qk_status cli_run_batch(cli *cli)
{
    batch batch = { .cli = cli, .input = { .fd = -1 } };
    qk_status rc = read_defaults(&batch);
    if (!rc)
        rc = batch_input_open(&batch.input, cli_value(cli, "batch"), &cli->err);
    if (!rc)
        rc = check_batch(&batch);
    if (!rc)
        rc = make_arrays(&batch);
    if (!rc)
        rc = cli_open(cli, true);
    if (!rc)
        rc = batch_needs_check(cli, &batch.given, &batch.needs);
    if (!rc)
        rc = fix_ids(&batch);
    if (!rc) {
        cli_interrupts_defer(1);
        rc = enqueue_lines(&batch);
    }
    if (!rc)
        print_summary(&batch);
    dispose(&batch);
    return rc;
}
