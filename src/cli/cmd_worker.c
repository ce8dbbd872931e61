/*
 * worker
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "text.h"
#include "worker_args.h"
#include "worker_lines.h"
#include "worker_metrics.h"

#define LOOK_MS 200

static bool is_ours(const qk_worker_options *options, const char *queue)
{
    if (options->queue_count == 0)
        return strcmp(queue, "default") == 0;
    for (size_t i = 0; i < options->queue_count; i++) {
        if (strcmp(options->queues[i], queue) == 0)
            return true;
    }
    return false;
}

static bool can_run(const qk_worker *worker, const qk_worker_options *options, const char *kind)
{
    return worker ? qk_worker_handles(worker, kind)
                  : strcmp(kind, "command") == 0 && !options->no_commands;
}

/* Jobs that wait in its queues: of kinds it runs, and of others, which it warns of. Without a worker
 * it runs commands, if any. */
static uint64_t look_at_waiting(cli *cli, const qk_worker *worker, const qk_worker_options *options,
                                bool warn)
{
    qk_rows *rows = NULL;
    qk_error ignored = QK_ERROR_INIT;
    uint64_t runnable = 0;
    if (qk_rows_open(&rows, cli->queue,
                     "SELECT queue, kind, count(*) FROM jobs WHERE status IN ('pending', "
                     "'delayed') GROUP BY queue, kind ORDER BY queue, kind",
                     qk_us(0), &ignored) != QK_OK)
        return 0;
    while (qk_rows_next(rows, &ignored) == QK_OK) {
        const char *queue = qk_rows_text(rows, 0);
        const char *kind = qk_rows_text(rows, 1);
        const char *count = qk_rows_text(rows, 2);
        if (!queue || !kind || !count || !is_ours(options, queue))
            continue;
        if (can_run(worker, options, kind))
            runnable += strtoull(count, NULL, 10);
        else if (warn)
            cli_note(cli,
                     "%s job%s of kind \"%s\" in queue \"%s\" cannot run here: a program that "
                     "handles the kind must take %s, such as --handler KIND=COMMAND",
                     count, strcmp(count, "1") == 0 ? "" : "s", kind, queue,
                     strcmp(count, "1") == 0 ? "it" : "them");
    }
    qk_rows_close(rows);
    return runnable;
}

static void greet(cli *cli, const qk_worker *worker, const qk_worker_options *options)
{
    qk_worker_stats stats;
    char names[256] = "";
    if (cli->quiet || isatty(STDERR_FILENO) != 1)
        return;
    for (size_t i = 0; i < options->queue_count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", options->queues[i]);
    }
    qk_worker_stats_get(&stats, worker);
    cli_note(cli, "%s runs %u job%s at a time from %s; Ctrl-C ends it", qk_worker_id(worker),
             stats.slots, stats.slots == 1 ? "" : "s", *names ? names : "default");
}

static void print_summary(cli *cli, const qk_worker_stats *stats)
{
    unsigned long long done = stats->done;
    unsigned long long failed = stats->failed;
    unsigned long long retried = stats->retried;
    unsigned long long lost = stats->lost;
    if (!cli->json) {
        if (cli->verbose)
            worker_metrics_print(cli);
        cli_note(cli, "%llu done, %llu failed, %llu to be tried again, %llu lost", done, failed,
                 retried, lost);
        return;
    }
    printf("{\"done\":%llu,\"failed\":%llu,\"retried\":%llu,\"lost\":%llu", done, failed, retried,
           lost);
    if (cli->verbose) {
        fputs(",\"metrics\":", stdout);
        worker_metrics_json(cli, stdout);
    }
    puts("}");
}

static qk_status run_pool(cli *cli, worker_args *args, qk_worker_options *options)
{
    qk_worker *worker = NULL;
    worker_lines *lines = NULL;
    worker_metrics *metrics = NULL;
    const char *file = cli_value(cli, "metrics");
    qk_worker_stats stats = { 0 };
    qk_status rc = QK_OK;
    if (!cli->quiet) {
        rc = worker_lines_open(&lines, cli, &cli->err);
        options->on_finished = worker_lines_add;
        options->on_finished_user = lines;
    }
    if (!rc && file)
        rc = worker_metrics_open(&metrics, cli, file, &cli->err);
    if (!rc)
        rc = qk_worker_open(&worker, cli->queue, options, &cli->err);
    if (!rc)
        rc = worker_args_handlers(cli, args, worker);
    if (!rc) {
        look_at_waiting(cli, worker, options, true);
        greet(cli, worker, options);
        rc = qk_worker_run(worker, &cli->err);
        qk_worker_stats_get(&stats, worker);
    }
    uint64_t left = !rc && options->drain ? look_at_waiting(cli, worker, options, false) : 0;
    qk_worker_close(worker);
    worker_lines_close(lines);
    worker_metrics_close(metrics);
    if (rc)
        return rc;
    if (left > 0)
        return cli_error(&cli->err, QK_EINTERRUPTED,
                         "stopped before the queue was drained: start it again");
    print_summary(cli, &stats);
    cli->err.message[0] = '\0';
    return options->drain && stats.failed > 0 ? QK_EJOBFAILED : QK_OK;
}

/* Nothing to run: others reach the store through this process until it is told to end. */
static void stay(const cli *cli)
{
    cli_interrupts_defer(1);
    if (!cli->quiet && isatty(STDERR_FILENO) == 1)
        cli_note(cli, "looks after the store and runs nothing; Ctrl-C ends it");
    while (!cli_interrupted)
        poll(NULL, 0, LOOK_MS); /* the signal may meet another thread */
}

static qk_status run_worker(cli *cli)
{
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    worker_args args;
    options.drain = cli_has(cli, "drain");
    options.no_commands = cli_has(cli, "no-commands");
    options.handle_signals = true;
    options.adopt_orphans = true;
    qk_status rc = worker_args_read(cli, &args, &options);
    if (!rc)
        rc = cli_open(cli, true);
    bool handles = !options.no_commands || cli_has(cli, "handler") || cli_has(cli, "plugin");
    if (!rc && !handles)
        look_at_waiting(cli, NULL, &options, true);
    if (!rc && handles)
        rc = run_pool(cli, &args, &options);
    else if (!rc && !options.drain) /* otherwise it has drained already */
        stay(cli);
    worker_args_dispose(&args);
    return rc;
}

static const cli_option options[] = {
    { "queue", 'q', "QUEUE[=WEIGHT]", "Take from this queue; several: in order, or by weight",
      true },
    { "jobs", 'j', "N[-MAX]", "Run so many at a time (default: one per core); up to MAX by load",
      false },
    { "handler", 0, "KIND=COMMAND",
      "Run jobs of this kind with a program, the payload on its input", true },
    { "plugin", 0, "FILE.so", "Load handlers from a plugin", true },
    { "in-process", 0, NULL, "Run plugins inside the worker: quicker, but a crash ends it", false },
    { "store", 0, "ALIAS=URL",
      "Another store, by the name that sub-DAG nodes use for it (also $QUEUACK_STORES, with \";\" "
      "between several)",
      true },
    { "drain", 0, NULL, "End when nothing it can run is left; exit 1 if a job failed", false },
    { "metrics", 0, "FILE", "Keep a file of metrics for Prometheus, renewed every 5 s", false },
    { "no-commands", 0, NULL, "Run no commands and no SQL: only look after the store", false },
    { "sql-folder", 0, "DIR",
      "SQL tasks may use files in here, and only here (default: each its own folder)", true },
    { "sql-memory", 0, "SIZE",
      "Memory of the SQL tasks of a database, such as 4G (default: half of the machine's)", false },
    { 0 },
};

const cli_command cli_cmd_worker = {
    .name = "worker",
    .synopsis = "[-q QUEUE]… [-j N] [--drain] [--handler KIND=COMMAND]… [--plugin FILE.so]…",
    .summary = "Run jobs until told to stop",
    .help =
        "It runs jobs of the kind command, and of kinds given a handler: a program (split into\n"
        "words, no shell) that reads the payload from its standard input and answers with a last\n"
        "line of JSON or the file $QUEUACK_RESULT, or a plugin (see queuack/plugin.h), whose\n"
        "handlers run in processes of their own: one that crashes fails its job.\n\n"
        "Jobs of the kind sql run in a process of their own per database; they read and write files\n"
        "in their folder only, or in those of --sql-folder, and never the queue's own.\n\n"
        "-q a -q b takes from a before b; -q a=3 -q b=1 takes three from a for one from b.\n"
        "-j 2-8 starts with 2 slots, and has up to 8 while all are busy.\n\n"
        "The first SIGINT or SIGTERM lets running jobs finish and hands back the others, the\n"
        "second ends them, the third ends the program. A line per finished job goes to standard\n"
        "error.",
    .options = options,
    .run = run_worker,
};
