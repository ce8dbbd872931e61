/*
 * Following output; see logs_follow.h. It is read from files beside the store, so a worker that has
 * the store open is not asked and not disturbed. The program's one thread.
 */
#include "logs_follow.h"

#include <poll.h>
#include <string.h>

#include "text.h"

#define POLL_MS 100
#define OWNER_MS 1 /* another process that has the store may keep it for hours */

static bool by_suffix(const char *job)
{
    size_t length = strlen(job);
    return length >= 6 && length <= 32 && strspn(job, "0123456789abcdefABCDEF") == length;
}

/* The output of the job as it was named; the store may be closed. */
static qk_status open_log(qk_job_log **out, cli *cli, const char *job, int attempt)
{
    qk_id id;
    const char *store = cli_store_url(cli);
    qk_error ignored = QK_ERROR_INIT;
    qk_status rc = qk_id_parse(&id, job);
    if (rc)
        rc = by_suffix(job) ? qk_job_log_find(&id, store, job, &ignored) : QK_ENOTFOUND;
    return rc ? rc : qk_job_log_open(out, store, id, attempt, &ignored);
}

/* Every byte as it is, or what a terminal can take of it; there is room for one more. */
static void put_chunk(char *chunk, size_t length)
{
    if (!cli_is_terminal()) {
        (void)fwrite(chunk, 1, length, stdout);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (chunk[i] == '\0')
            chunk[i] = '?';
    }
    chunk[length] = '\0';
    cli_put_block(stdout, chunk, false);
}

/* Prints what came since the last look. */
static qk_status print_more(cli *cli, qk_job_log *log, qk_log_stream stream, uint64_t *offset,
                            bool *any)
{
    char chunk[65537];
    size_t length = 0;
    uint64_t skipped = 0;
    qk_status rc;
    while (!(rc = qk_job_log_read(&length, chunk, sizeof(chunk) - 1, offset, &skipped, log, stream,
                                  &cli->err)) &&
           length > 0) {
        *any = true;
        if (skipped)
            printf("\n… %llu bytes are not kept …\n", (unsigned long long)skipped);
        put_chunk(chunk, length);
    }
    if (!rc && *any)
        rc = cli_flush(&cli->err);
    return rc;
}

static qk_status follow_log(cli *cli, qk_job_log *log)
{
    uint64_t offsets[2] = { 0, 0 };
    qk_status rc = QK_OK;
    bool ended = false;
    while (!rc && !ended && !cli_interrupted) {
        bool any = false;
        ended = qk_job_log_ended(log); /* before the last look, so that nothing is missed */
        rc = print_more(cli, log, QK_STREAM_OUT, &offsets[0], &any);
        if (!rc)
            rc = print_more(cli, log, QK_STREAM_ERR, &offsets[1], &any);
        if (!rc && !ended && !any)
            poll(NULL, 0, POLL_MS);
    }
    return rc;
}

qk_status logs_print(cli *cli, qk_id job, int attempt, qk_log_stream stream)
{
    qk_job_log *log = NULL;
    uint64_t offset = 0;
    bool any = false;
    qk_status rc = qk_job_log_open(&log, cli_store_url(cli), job, attempt, &cli->err);
    if (!rc)
        rc = print_more(cli, log, stream, &offset, &any);
    qk_job_log_close(log);
    return rc;
}

/* With the store open: what is meant, whole. QK_EMPTY: the job has ended, what is stored of it is all
 * there is. */
static qk_status look_at_job(cli *cli, char whole[QK_ID_TEXT_SIZE], const char *word)
{
    qk_job *job = NULL;
    qk_id id;
    qk_status rc = cli_resolve(cli, &id, word);
    if (!rc)
        rc = qk_job_get(&job, cli->queue, id, &cli->err);
    if (!rc && qk_job_status_is_terminal(job->status))
        rc = QK_EMPTY;
    if (!rc)
        qk_id_format(whole, id);
    qk_job_free(job);
    return rc;
}

/* The store is another's, who does not share it: the job whose output changed last. */
static bool guess_latest(const cli *cli, char whole[QK_ID_TEXT_SIZE], const char *word)
{
    qk_id id;
    qk_error ignored = QK_ERROR_INIT;
    bool found = strcmp(word, "@1") == 0 &&
                 qk_job_log_find(&id, cli_store_url(cli), NULL, &ignored) == QK_OK;
    if (found)
        qk_id_format(whole, id);
    return found;
}

qk_status logs_follow(cli *cli, const char *job, int attempt)
{
    qk_job_log *log = NULL;
    char whole[QK_ID_TEXT_SIZE];
    bool said = false;
    for (;;) {
        if (open_log(&log, cli, job, attempt) == QK_OK) {
            qk_status rc = follow_log(cli, log);
            qk_job_log_close(log);
            return rc;
        }
        cli->owner_wait = qk_ms(OWNER_MS);
        qk_status rc = cli_open(cli, false);
        if (rc && rc != QK_EBUSY)
            return rc;
        if (!rc) {
            rc = look_at_job(cli, whole, job);
            if (rc)
                return rc; /* the store stays open for what is stored */
            cli_close(cli);
        }
        if (!rc || guess_latest(cli, whole, job))
            job = whole; /* a later @1 would be another one */
        if (cli_interrupted)
            return QK_OK;
        if (!said)
            cli_note(cli, "there is no output of %s yet: waiting for it", job);
        said = true;
        poll(NULL, 0, POLL_MS);
    }
}
