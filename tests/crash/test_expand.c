/*
 * SIGKILL while sub-DAGs expand. Each round forks a child that opens the store, submits runs nested
 * three deep from four threads and works on them with four slots, until it is killed at a chosen
 * point of a commit or a checkpoint (io.h), in a factory, or at a random time. After each round plain
 * DuckDB reads a copy: no run without the job that it is the work of, no job with two runs. After the
 * last one all that is left is run, and then every run has ended, each is as deep as it must be, and
 * those whose submission had returned are there.
 *
 * ROUNDS sets how many (default 10). The parent opens no store before the last round, so that its
 * children may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <queuack/queuack.h>

#include "io.h"
#include "ledger.h"
#include "plain.h"
#include "queue/queue_internal.h"
#include "store/store.h"

#define DEPTH 4 /* runs in each other */
#define SUBMITTERS 4
#define SLOTS 4

#define MUST(call)                                                                                 \
    do {                                                                                           \
        qk_error err = QK_ERROR_INIT;                                                              \
        qk_status must_rc = (call);                                                                \
        if (must_rc != QK_OK) {                                                                    \
            fprintf(stderr, "%s: %s: %s\n", #call, qk_status_json_code(must_rc), err.message);     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const struct phase {
    const char *name;
    unsigned files, calls;
    enum io_action action;
    unsigned skip; /* at most so many calls pass first */
    bool checkpoints;
} phases[] = {
    { "before a log write", 1 << IO_WAL, 1 << IO_WRITE, IO_KILL_BEFORE, 60, false },
    { "in the middle of a log write", 1 << IO_WAL, 1 << IO_WRITE, IO_KILL_HALF, 60, false },
    { "written, not synced", 1 << IO_WAL, 1 << IO_SYNC, IO_KILL_BEFORE, 60, false },
    { "synced, callers not told", 1 << IO_WAL, 1 << IO_SYNC, IO_KILL_AFTER, 60, false },
    { "in a factory", 0, 0, IO_PASS, 30, false },
    { "checkpoint: file write", 1 << IO_MAIN, 1 << IO_WRITE, IO_KILL_AFTER, 40, true },
    { "checkpoint: file sync", 1 << IO_MAIN, 1 << IO_SYNC, IO_KILL_BEFORE, 5, true },
    { "checkpoint: log replaced", 1 << IO_WAL, 1 << IO_TRUNCATE | 1 << IO_RENAME, IO_KILL_HALF, 5,
      true },
    { "at a random time", 0, 0, IO_PASS, 0, false },
};
#define PHASES (sizeof(phases) / sizeof(*phases))
#define IN_FACTORY 4
#define ANY_TIME (PHASES - 1)

static char folder[256], store_path[300], ledger_path[300];
static struct ledger ledger;
static qk_queue *queue;
static atomic_int factory_calls;
static int kill_factory_at;
static atomic_int *hits; /* shared with the children, one per phase */

static qk_status noop(qk_task *task, void *user, qk_error *err)
{
    (void)task;
    (void)user;
    (void)err;
    return QK_OK;
}

static qk_status add_level(qk_dag *dag, int depth, qk_error *err)
{
    static const char *const after[] = { "a" };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = 1;
    qk_status rc = qk_dag_add(dag, "a", "noop", NULL, NULL, err);
    if (!rc && depth < DEPTH)
        rc = qk_dag_add_factory(dag, "sub", "level", NULL, &options, err);
    return rc ? rc : qk_dag_add(dag, "b", "noop", NULL, &options, err);
}

static qk_status level(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    (void)user;
    if (atomic_fetch_add(&factory_calls, 1) + 1 == kill_factory_at) {
        atomic_fetch_add(&hits[IN_FACTORY], 1);
        kill(getpid(), SIGKILL);
    }
    qk_status rc = qk_dag_new(out, "level", NULL, err);
    return rc ? rc : add_level(*out, call->depth, err);
}

static qk_id submit(void)
{
    qk_dag *dag = NULL;
    qk_id run;
    MUST(qk_dag_new(&dag, "top", NULL, &err));
    MUST(add_level(dag, 1, &err));
    MUST(qk_run_submit(&run, queue, dag, NULL, &err));
    qk_dag_free(dag);
    return run;
}

static void *submit_main(void *unused)
{
    (void)unused;
    for (;;) {
        qk_id run = submit();
        ledger_write(&ledger, 'E', run, 0);
        MUST(qk_run_wait(NULL, queue, run, qk_seconds(60), NULL, NULL, &err));
    }
    return NULL;
}

/* A purge that finds nothing turns the journal, settles and checkpoints. */
static void *checkpoint_main(void *unused)
{
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    filter.older_than = qk_seconds(1000000);
    (void)unused;
    for (;;) {
        size_t purged = 0;
        MUST(qk_purge(&purged, queue, &filter, &err));
    }
    return NULL;
}

static void start(void *(*fn)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, fn, NULL) != 0)
        abort();
    pthread_detach(thread);
}

static void work(bool drain)
{
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = SLOTS;
    options.drain = drain;
    MUST(qk_worker_open(&worker, queue, &options, &err));
    MUST(qk_worker_handle(worker, "noop", noop, NULL, &err));
    MUST(qk_worker_factory(worker, "level", level, NULL, &err));
    MUST(qk_worker_run(worker, &err));
    qk_worker_close(worker);
}

static void default_signals(void)
{
    static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal(signals[i], SIG_DFL); /* cmocka's handlers are for the parent */
    alarm(60); /* a child that hangs ends otherwise than by SIGKILL */
}

static void live(size_t which)
{
    const struct phase *phase = &phases[which];
    default_signals();
    if (!ledger_open(&ledger, ledger_path))
        abort();
    MUST(qk_queue_open(&queue, store_path, NULL, &err));
    struct io_rule rule = { .files = phase->files,
                            .calls = phase->calls,
                            .action = phase->action,
                            .skip = phase->skip == 0 ? 0 : (unsigned)rand() % phase->skip,
                            .hits = &hits[which] };
    kill_factory_at = which == IN_FACTORY ? 1 + (int)rule.skip : 0;
    if (rule.files != 0)
        io_arm(&rule);
    for (int i = 0; i < SUBMITTERS; i++)
        start(submit_main);
    if (phase->checkpoints)
        start(checkpoint_main);
    work(false);
    abort();
}

/* Of a store that was killed, and of one in which everything has ended: all must be 0. */
static const char *const always[] = {
    "SELECT count(*) FROM dag_runs WHERE parent_job_id IS NOT NULL AND parent_job_id NOT IN "
    "(SELECT id FROM jobs WHERE kind = 'dag')",
    "SELECT count(*) FROM (SELECT 1 FROM dag_runs WHERE parent_job_id IS NOT NULL "
    "GROUP BY parent_job_id HAVING count(*) > 1)",
    "SELECT count(*) FROM dag_runs WHERE root_run_id NOT IN (SELECT id FROM dag_runs)",
    "SELECT count(*) FROM jobs WHERE dag_run_id NOT IN (SELECT id FROM dag_runs)",
    "SELECT count(*) FROM jobs WHERE kind = 'dag' AND status IN ('pending', 'delayed') AND "
    "id IN (SELECT parent_job_id FROM dag_runs WHERE parent_job_id IS NOT NULL)",
};
#define ALWAYS (sizeof(always) / sizeof(*always))
static const char *const ended[] = {
    "SELECT count(*) FROM dag_runs WHERE status <> 'done'",
    "SELECT count(*) FROM jobs WHERE status <> 'done'",
    ("SELECT count(*) FROM jobs WHERE kind = 'dag' AND id NOT IN "
     "(SELECT parent_job_id FROM dag_runs WHERE parent_job_id IS NOT NULL)"),
    "SELECT count(*) FROM (SELECT 1 FROM dag_runs GROUP BY root_run_id HAVING count(*) <> 4)",
    "SELECT count(*) FROM (SELECT 1 FROM jobs GROUP BY dag_run_id HAVING count(*) NOT IN (2, 3))",
};
#define ENDED (sizeof(ended) / sizeof(*ended))

static bool all_are_zero(const char *path, const char *const *statements, size_t count)
{
    int64_t numbers[16];
    bool zero = plain_numbers(path, statements, numbers, count);
    for (size_t i = 0; zero && i < count; i++) {
        if (numbers[i] != 0)
            fprintf(stderr, "%ld: %s\n", (long)numbers[i], statements[i]);
    }
    for (size_t i = 0; zero && i < count; i++)
        zero = numbers[i] == 0;
    return zero;
}

/* In a child, because a process that had DuckDB open must not fork users of it. */
static void read_plainly(void)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char copy[400];
        default_signals();
        plain_copy(copy, sizeof(copy), store_path, folder);
        _exit(all_are_zero(copy, always, ALWAYS) ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void round_of(size_t which)
{
    int status;
    long pause_us = 50000 + rand() % 300000;
    unsigned seed = (unsigned)rand();
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        srand(seed);
        live(which);
    }
    if (which == ANY_TIME) {
        struct timespec pause = { 0, pause_us * 1000 };
        nanosleep(&pause, NULL); /* not a wait for anything: the moment of the kill */
        kill(child, SIGKILL);
        atomic_fetch_add(&hits[ANY_TIME], 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s: the child ended with status %#x", phases[which].name, (unsigned)status);
    read_plainly();
}

static size_t check_reported(void)
{
    size_t count;
    struct ledger_line *lines = ledger_read(ledger_path, &count);
    for (size_t i = 0; i < count; i++) {
        qk_run *run = NULL;
        MUST(qk_run_get(&run, queue, lines[i].id, &err));
        assert_int_equal(run->status, QK_RUN_DONE);
        qk_run_free(run);
    }
    free(lines);
    return count;
}

static void test_expand__killed_at_any_point(void **state)
{
    const char *wanted = getenv("ROUNDS");
    size_t rounds = wanted == NULL ? 10 : (size_t)atoi(wanted);
    int expected[PHASES] = { 0 };
    (void)state;
    snprintf(store_path, sizeof(store_path), "%s/jobs.duckdb", folder);
    for (size_t i = 0; i < rounds; i++) {
        expected[i % PHASES]++;
        round_of(i % PHASES);
    }
    for (size_t i = 0; i < PHASES; i++)
        print_message("%-30s %d rounds\n", phases[i].name, atomic_load(&hits[i]));
    for (size_t i = 0; i < PHASES; i++)
        assert_int_equal(atomic_load(&hits[i]), expected[i]);
    kill_factory_at = 0;
    MUST(qk_queue_open(&queue, store_path, NULL, &err));
    work(true);
    size_t reported = check_reported();
    qk_queue_close(queue);
    print_message("%zu runs reported, %d expansions after the last kill\n", reported,
                  atomic_load(&factory_calls));
    assert_true(rounds == 0 || reported > 0);
    assert_true(all_are_zero(store_path, always, ALWAYS));
    assert_true(all_are_zero(store_path, ended, ENDED));
}

/* The log is never synced again: what `expand` reports was durable before, or nothing is. */
static void expand_without_disk(int out)
{
    qk_store *store;
    qk_id child;
    struct io_rule rule = { .files = 1 << IO_WAL, .calls = 1 << IO_SYNC, .action = IO_KILL_BEFORE };
    qk__new_run run = { .id = qk_id_new(), .name = "child" };
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    default_signals();
    MUST(qk_queue_open(&queue, store_path, NULL, &err));
    store = qk__queue_store(queue);
    qk_dag *dag = NULL;
    MUST(qk_dag_new(&dag, "top", NULL, &err));
    MUST(qk_dag_add_factory(dag, "sub", "level", NULL, NULL, &err));
    MUST(qk_run_submit(NULL, queue, dag, NULL, &err));
    qk_dag_free(dag);
    options.worker_id = "w";
    MUST(qk_claim_batch(&claims, queue, &options, &err));
    MUST(store->ops->flush(store, &err));
    io_arm(&rule);
    if (write(out, "a", 1) != 1)
        abort();
    MUST(store->ops->expand(store, &child, &claims->items[0].lease, &run, NULL, 0, &err));
    if (write(out, "b", 1) != 1)
        abort();
    pause();
}

static void test_expand__returns_once_it_is_durable(void **state)
{
    int ends[2], status;
    char text[8] = "";
    (void)state;
    snprintf(store_path, sizeof(store_path), "%s/durable.duckdb", folder);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        expand_without_disk(ends[1]);
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(read(ends[0], text, sizeof(text)), 1);
    assert_string_equal(text, "a");
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand__returns_once_it_is_durable),
        cmocka_unit_test(test_expand__killed_at_any_point),
    };
    const char *tmp = getenv("TMPDIR"), *seed = getenv("SEED");
    unsigned number = seed ? (unsigned)atoi(seed) : (unsigned)time(NULL);
    printf("SEED=%u\n", number);
    srand(number);
    hits = mmap(NULL, PHASES * sizeof(*hits), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    snprintf(folder, sizeof(folder), "%.200s/expand-XXXXXX", tmp ? tmp : "/tmp");
    if (hits == MAP_FAILED || !mkdtemp(folder))
        return 1;
    snprintf(ledger_path, sizeof(ledger_path), "%s/ledger", folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
