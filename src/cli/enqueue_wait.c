/*
 * See enqueue_wait.h. The output is the one stored with the last attempt: its last 64 KiB.
 */
#include "enqueue_wait.h"

#include <stdlib.h>
#include <string.h>

#include "job_out.h"
#include "sql_text.h"
#include "wait.h"

/* Of its last attempt; *out NULL: none. free() it. */
static qk_status read_output(cli *cli, char **out, qk_id job)
{
    char id[QK_ID_TEXT_SIZE];
    qk_rows *rows = NULL;
    *out = NULL;
    qk_status rc = cli_sql_open(cli, &rows,
                                "SELECT log_tail FROM job_attempts WHERE job_id = %L ORDER BY "
                                "attempt DESC LIMIT 1",
                                qk_id_format(id, job));
    if (!rc)
        rc = qk_rows_next(rows, &cli->err);
    if (!rc && qk_rows_text(rows, 0)) {
        *out = strdup(qk_rows_text(rows, 0));
        if (!*out)
            rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static void print_json(const qk_job *job, bool duplicate, const char *output)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    cli_job_json(out, job);
    if (fclose(out) == 0 && size > 0) {
        fwrite(text, 1, size - 1, stdout); /* all but the closing brace */
        printf(",\"duplicate\":%s,\"log_tail\":", duplicate ? "true" : "false");
        cli_json_text(stdout, output);
        puts("}");
    }
    free(text);
}

static void print_end(const cli *cli, const qk_job *job, const char *output)
{
    size_t length = output ? strlen(output) : 0;
    if (length) {
        cli_put_block(stdout, output, !cli_is_terminal());
        if (output[length - 1] != '\n')
            putchar('\n');
    } else if (job->status == QK_JOB_DONE && job->result && strcmp(job->kind, "command") != 0) {
        cli_put_block(stdout, job->result, !cli_is_terminal());
        putchar('\n');
    }
    fflush(stdout);
    if (job->status != QK_JOB_DONE)
        cli_note(cli, "the job %s%s%s%s",
                 job->status == QK_JOB_FAILED ? "failed" : "did not run: it was ",
                 job->status == QK_JOB_FAILED ? "" : qk_job_status_name(job->status),
                 job->error || job->skip_reason ? ": " : "",
                 job->error         ? job->error
                 : job->skip_reason ? job->skip_reason
                                    : "");
}

static qk_status show(cli *cli, qk_job *const *jobs, size_t count, void *user)
{
    const qk_enqueued *enqueued = user;
    const qk_job *job = jobs[0];
    char *output = NULL;
    (void)count;
    qk_status rc = read_output(cli, &output, job->id);
    if (rc)
        return rc;
    if (cli->json)
        print_json(job, enqueued->duplicate, output);
    else
        print_end(cli, job, output);
    free(output);
    if (job->status != QK_JOB_DONE)
        cli->exit_code = job->has_exit_code && job->exit_code > 0 ? job->exit_code : 1;
    return QK_OK;
}

qk_status cli_enqueue_wait(cli *cli, const qk_enqueued *enqueued)
{
    qk_enqueued copy = *enqueued;
    cli_close(cli);
    return cli_wait_ended(cli, &copy.id, 1, qk_forever(), show, &copy);
}
