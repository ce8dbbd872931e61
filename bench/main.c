/*
 * queuack-bench: Queuack's speed, beside what DuckDB alone can do on the same machine.
 *
 * Reads the options, makes a temp folder, runs each chosen row in a child process, collects its
 * figures from a pipe, writes JSON, removes the folder. One thread.
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const bench_row rows[] = {
    { "raw", "the limit: rows of the journal appended with nothing else", bench_row_raw },
    { "enqueue", "jobs put in: in bulk, one by one, by 64 callers", bench_row_enqueue },
    { "process", "no-op handlers, enqueue to durable result", bench_row_process },
    { "idle", "enqueue to an idle worker: when its handler starts", bench_row_idle },
    { "direct", "claim and ack called directly", bench_row_direct },
    { "delayed", "one old delayed job among new ones", bench_row_delayed },
    { "finished", "a file with many finished jobs: speed, opening, size", bench_row_finished },
    { "sql", "queries over many finished jobs while jobs run", bench_row_sql },
    { "memory", "memory per waiting job", bench_row_memory },
    { "open", "opening: new, closed, killed, moved from memory", bench_row_open },
    { "command", "the program `true` as a job, beside xargs and make", bench_row_command },
    { "metrics", "counting a job, and the text for Prometheus", bench_row_metrics },
    { "dag", "definitions: building, checking, drawing", bench_row_dag },
    { "runs", "DAGs executed: fans, chains, sub-DAGs, hierarchies", bench_row_runs },
    { "shared", "what another process gets from the owner; takeovers", bench_row_shared },
    { "sustained", "a steady rate; with --sustained SECONDS", bench_row_sustained },
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

typedef struct arguments {
    const char *only, *json, *parent;
    char command[512];
} arguments;

static void usage(FILE *file)
{
    fputs("queuack-bench [--quick|--full] [--only ROW,…] [--json FILE] [--dir FOLDER] [--slots N]\n"
          "              [--finished N] [--sustained SECONDS] [--rate JOBS_PER_SECOND]\n\nrows:\n",
          file);
    for (size_t i = 0; i < ROW_COUNT; i++)
        fprintf(file, "  %-10s %s\n", rows[i].name, rows[i].what);
}

static bool number(const char *text, double least, double most, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    return !errno && end != text && !*end && *out >= least && *out <= most;
}

static bool set_number(bench *b, int option, const char *text)
{
    double value = 0;
    if (option == 'n' && number(text, 1, 1024, &value))
        b->slots = (int)value;
    else if (option == 'N' && number(text, 0, 1e9, &value))
        b->finished = (uint64_t)value;
    else if (option == 's' && number(text, 1, 1e6, &value))
        b->sustained_s = (int)value;
    else if (option == 'r' && number(text, 1, 1e7, &value))
        b->rate = value;
    else
        return false;
    return true;
}

static bool parse(bench *b, arguments *args, int argc, char **argv)
{
    static const struct option options[] = {
        { "quick", no_argument, NULL, 'q' },
        { "full", no_argument, NULL, 'f' },
        { "only", required_argument, NULL, 'o' },
        { "json", required_argument, NULL, 'j' },
        { "dir", required_argument, NULL, 'd' },
        { "slots", required_argument, NULL, 'n' },
        { "rate", required_argument, NULL, 'r' },
        { "sustained", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { "finished", required_argument, NULL, 'N' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout);
            exit(0);
        }
        if (c == 'q' || c == 'f')
            b->full = c == 'f';
        else if (c == 'o')
            args->only = optarg;
        else if (c == 'j')
            args->json = optarg;
        else if (c == 'd')
            args->parent = optarg;
        else if (c == '?' || !set_number(b, c, optarg))
            return false;
    }
    return optind == argc;
}

static void remember_command(arguments *args, int argc, char **argv)
{
    size_t length = (size_t)snprintf(args->command, sizeof args->command, "queuack-bench");
    for (int i = 1; i < argc && length < sizeof args->command; i++)
        length +=
            (size_t)snprintf(args->command + length, sizeof args->command - length, " %s", argv[i]);
}

static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (!at[length] || at[length] == ','))
            return true;
    }
    return false;
}

static bool chosen(const bench *b, const arguments *args, const bench_row *row)
{
    if (row->run == bench_row_sustained && !b->sustained_s)
        return false;
    if (!args->only)
        return true;
    return listed(args->only, row->name);
}

static bool known_rows(const char *list)
{
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strcspn(at, ","), i = 0;
        while (i < ROW_COUNT &&
               (strlen(rows[i].name) != length || strncmp(rows[i].name, at, length) != 0))
            i++;
        if (i == ROW_COUNT) {
            fprintf(stderr, "queuack-bench: no row is named %.*s\n", (int)length, at);
            return false;
        }
    }
    return true;
}

static bool run_row(bench *b, const bench_row *row)
{
    int ends[2], status = 0;
    char line[512];
    printf("\n%s: %s\n", row->name, row->what);
    fflush(stdout);
    if (pipe(ends))
        return false;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        b->channel = ends[1];
        row->run(b);
        _exit(0);
    }
    close(ends[1]);
    FILE *figures = fdopen(ends[0], "r");
    while (figures && fgets(line, sizeof line, figures))
        bench_receive(b, line);
    if (figures)
        fclose(figures);
    if (child < 0 || waitpid(child, &status, 0) < 0 || status) {
        fprintf(stderr, "queuack-bench: row %s failed\n", row->name);
        return false;
    }
    return true;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

int main(int argc, char **argv)
{
    static bench b = { .finished = UINT64_MAX, .rate = 50000, .channel = -1 };
    arguments args = { .only = NULL };
    char dir[4000];
    bool good = true;
    b.slots = (int)sysconf(_SC_NPROCESSORS_ONLN);
    args.parent = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
    if (!parse(&b, &args, argc, argv) || (args.only && !known_rows(args.only))) {
        usage(stderr);
        return 2;
    }
    remember_command(&args, argc, argv);
    snprintf(dir, sizeof dir, "%s/queuack-bench-XXXXXX", args.parent);
    if (!mkdtemp(dir)) {
        fprintf(stderr, "queuack-bench: %s: %s\n", dir, strerror(errno));
        return 1;
    }
    b.dir = dir;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (chosen(&b, &args, &rows[i]))
            good = run_row(&b, &rows[i]) && good;
    if (args.json)
        good = bench_write_json(&b, args.json, args.command) && good;
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return good ? 0 : 1;
}
