/*
 * A full or failing disk: each call that writes is told, nothing is half-done, and work goes on in
 * the same handle once there is room.
 *
 * The faults strike the n-th call that libduckdb makes on the store's file or log, for rising n, so
 * that every step of a commit and of a checkpoint is struck. After each, a copy of what lies on the
 * disk is read by plain DuckDB.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <queuack/queuack.h>

#include "io.h"
#include "plain.h"

#define LOG_FILE (1u << IO_WAL)
#define MAIN_FILE (1u << IO_MAIN)
#define WRITES (1u << IO_WRITE)
#define SYNCS (1u << IO_SYNC)
#define TRUNCATES (1u << IO_TRUNCATE)
#define OPENS (1u << IO_OPEN)

struct fault {
    const char *name;
    unsigned files, calls;
    enum io_action action;
    int error;
    qk_status expected;
};

static const struct fault commit_faults[] = {
    { "no space for a log write", LOG_FILE, WRITES, IO_FAIL, ENOSPC, QK_EFULL },
    { "no space for half of a log write", LOG_FILE, WRITES, IO_FAIL_HALF, ENOSPC, QK_EFULL },
    { "no space at the log's sync", LOG_FILE, SYNCS, IO_FAIL, ENOSPC, QK_EFULL },
    { "input/output error at a log write", LOG_FILE, WRITES, IO_FAIL, EIO, QK_EIO },
    { "input/output error at the log's sync", LOG_FILE, SYNCS, IO_FAIL, EIO, QK_EIO },
    { "sync done, reported failed", LOG_FILE, SYNCS, IO_FAIL_AFTER, EIO, QK_EIO },
    { "write done, reported failed", LOG_FILE, WRITES, IO_FAIL_AFTER, ENOSPC, QK_EFULL },
    { "log neither written nor cut", LOG_FILE, WRITES | TRUNCATES, IO_FAIL, ENOSPC, QK_EFULL },
};
#define COMMIT_FAULTS (sizeof(commit_faults) / sizeof(*commit_faults))

static char folder[256], store_path[300];
static int stores;

#define good(call)                                                                                 \
    do {                                                                                           \
        qk_error err = QK_ERROR_INIT;                                                              \
        qk_status good_rc = (call);                                                                \
        if (good_rc != QK_OK)                                                                      \
            fail_msg("%s: %s: %s: %s", now_testing, #call, qk_status_json_code(good_rc),           \
                     err.message);                                                                 \
    } while (0)

static char now_testing[128];

static void log_line(void *user, const qk_log_record *record)
{
    (void)user;
    if (getenv("VERBOSE"))
        fprintf(stderr, "  log %d: %s\n", (int)record->level, record->message);
}

static qk_queue *open_store(void)
{
    qk_queue *queue = NULL;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.log = log_line;
    good(qk_queue_open(&queue, store_path, &options, &err));
    return queue;
}

static qk_queue *open_fresh(void)
{
    io_disarm(); /* of a test that failed */
    snprintf(store_path, sizeof(store_path), "%.200s/store%d.duckdb", folder, stores++);
    return open_store();
}

static void remove_store(void)
{
    static const char *const suffixes[] = { "", ".wal", ".lock", ".wal.checkpoint" };
    char path[400];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", store_path, suffixes[i]);
        (void)unlink(path);
    }
}

static qk_id put(qk_queue *queue)
{
    qk_id id = { { 0 } };
    good(qk_enqueue(&id, queue, "work", "{}", NULL, &err));
    return id;
}

static qk_claims *take(qk_queue *queue)
{
    qk_claims *claims = NULL;
    good(qk_claim(&claims, queue, NULL, &err));
    return claims;
}

/* The call failed as it must, with one line that says why. */
static void check_refused(qk_status rc, const qk_error *err, qk_status expected, const char *call)
{
    if (rc != expected || err->code != rc)
        fail_msg("%s: %s gave %s instead of %s: %s", now_testing, call, qk_status_json_code(rc),
                 qk_status_json_code(expected), err->message);
    if (err->message[0] == '\0' || strchr(err->message, '\n'))
        fail_msg("%s: %s: not one line: \"%s\"", now_testing, call, err->message);
}

static void check_copy(int64_t jobs_min, int64_t jobs_max, int64_t done_min, int64_t done_max)
{
    static const char *const statements[] = {
        "SELECT count(*) FROM jobs",
        "SELECT count(*) FROM jobs WHERE status = 'done'",
        "SELECT count(DISTINCT id) FROM jobs",
    };
    int64_t numbers[3] = { 0 };
    char copy[400];
    plain_copy(copy, sizeof(copy), store_path, folder);
    if (!plain_numbers(copy, statements, numbers, 3))
        fail_msg("%s: the copy cannot be read", now_testing);
    if (numbers[0] < jobs_min || numbers[0] > jobs_max || numbers[1] < done_min ||
        numbers[1] > done_max || numbers[2] != numbers[0])
        fail_msg("%s: on disk: %d jobs (%d distinct), %d done", now_testing, (int)numbers[0],
                 (int)numbers[2], (int)numbers[1]);
}

static qk_job_status status_of(qk_queue *queue, qk_id id)
{
    qk_job *job = NULL;
    good(qk_job_get(&job, queue, id, &err));
    qk_job_status status = job->status;
    qk_job_free(job);
    return status;
}

/* Everything fails from the skip-th matching call on. */
static void strike(const struct fault *fault, unsigned skip)
{
    struct io_rule rule = { .files = fault->files,
                            .calls = fault->calls,
                            .action = fault->action,
                            .error = fault->error,
                            .skip = skip };
    io_arm(&rule);
}

/* What was counted before the engine was made anew is not forgotten. */
static void check_counts(qk_queue *queue)
{
    qk_metrics *metrics = NULL;
    good(qk_metrics_get(&metrics, queue, &err));
    assert_true(metrics->counters.enqueued >= 4);
    assert_int_equal(metrics->counters.claimed, 1);
    assert_int_equal(metrics->waiting_us.count, 1);
    assert_true(metrics->run_us.count >= 1);
    assert_true(metrics->counters.commit_failures >= 1);
    qk_metrics_free(metrics);
}

static void commit_fault(const struct fault *fault)
{
    bool ambiguous = fault->action == IO_FAIL_AFTER;
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_fresh();
    snprintf(now_testing, sizeof(now_testing), "%s", fault->name);
    qk_id first = put(queue), second = put(queue), third = put(queue), late = qk_id_new();
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_claims *claim = take(queue);
    qk_lease lease = claim->items[0].lease;
    options.id = late;

    strike(fault, 0);
    qk_status rc = qk_enqueue(NULL, queue, "work", "{}", &options, &err);
    check_refused(rc, &err, fault->expected, "enqueue");
    assert_true(io_hits() > 0);
    rc = qk_ack(queue, &lease, "{\"r\":1}", &err);
    check_refused(rc, &err, fault->expected, "ack");
    rc = qk_cancel(queue, second, &err);
    check_refused(rc, &err, fault->expected, "cancel");
    assert_int_equal(status_of(queue, second), QK_JOB_PENDING);
    check_copy(3, ambiguous ? 4 : 3, 0, ambiguous ? 1 : 0);

    io_disarm();
    good(qk_enqueue(NULL, queue, "work", "{}", &options, &err));
    good(qk_ack(queue, &lease, "{\"r\":1}", &err));
    qk_claims_free(claim);
    check_counts(queue);
    check_copy(4, 4, 1, 1);
    assert_int_equal(status_of(queue, first), QK_JOB_DONE);
    claim = take(queue);
    assert_int_equal(qk_id_compare(claim->items[0].lease.job, second), 0);
    good(qk_ack(queue, &claim->items[0].lease, NULL, &err));
    qk_claims_free(claim);
    qk_queue_close(queue);

    queue = open_store();
    assert_int_equal(status_of(queue, first), QK_JOB_DONE);
    assert_int_equal(status_of(queue, second), QK_JOB_DONE);
    assert_int_equal(status_of(queue, third), QK_JOB_PENDING);
    assert_int_equal(status_of(queue, late), QK_JOB_PENDING);
    qk_queue_close(queue);
    remove_store();
}

static void test_full__commit(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMIT_FAULTS; i++)
        commit_fault(&commit_faults[i]);
}

/* A batch of many rows is written in many pieces: each is struck once. */
static void test_full__in_the_middle_of_a_large_batch(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static qk_job_spec specs[COUNT];
    qk_queue *queue = open_fresh();
    for (size_t i = 0; i < COUNT; i++)
        specs[i] = (qk_job_spec){ "work", "{\"text\":\"some payload to fill a log page\"}", NULL };
    (void)put(queue);
    unsigned failed = 0;
    for (unsigned skip = 0; skip < 200; skip += 1 + skip / 4) {
        qk_error err = QK_ERROR_INIT;
        const struct fault *fault = &commit_faults[skip % 2];
        snprintf(now_testing, sizeof(now_testing), "log write %u", skip);
        strike(fault, skip);
        qk_status rc = qk_enqueue_batch(NULL, queue, specs, COUNT, &err);
        uint64_t hits = io_hits();
        io_disarm();
        if (rc == QK_OK) {
            assert_int_equal(hits, 0);
            break;
        }
        failed++;
        check_refused(rc, &err, fault->expected, "enqueue_batch");
        check_copy(1, 1, 0, 0);
    }
    assert_true(failed >= 5);
    check_copy(1 + COUNT, 1 + COUNT, 0, 0);
    qk_queue_close(queue);
    remove_store();
}

static const struct fault checkpoint_faults[] = {
    { "no space for the file", MAIN_FILE, WRITES | TRUNCATES, IO_FAIL, ENOSPC, QK_OK },
    { "the file's sync fails", MAIN_FILE, SYNCS, IO_FAIL, EIO, QK_OK },
    { "no space for the second log", LOG_FILE, WRITES, IO_FAIL, ENOSPC, QK_OK },
};
#define CHECKPOINT_FAULTS (sizeof(checkpoint_faults) / sizeof(*checkpoint_faults))

static void churn(qk_queue *queue, int count)
{
    for (int i = 0; i < count; i++) {
        (void)put(queue);
        qk_claims *claim = take(queue);
        good(qk_ack(queue, &claim->items[0].lease, NULL, &err));
        qk_claims_free(claim);
    }
}

/* False: the whole checkpoint passed, so that there is nothing more to strike. */
static bool checkpoint_fault(qk_queue **queue, const struct fault *fault, unsigned skip, int *jobs)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    size_t purged = 0;
    filter.older_than = qk_seconds(1000000);
    snprintf(now_testing, sizeof(now_testing), "%s, call %u", fault->name, skip);
    churn(*queue, 5);
    *jobs += 5;
    strike(fault, skip);
    qk_status rc = qk_purge(&purged, *queue, &filter, &err); /* settles and checkpoints */
    uint64_t hits = io_hits();
    if (rc != QK_OK && hits == 0)
        fail_msg("%s: %s", now_testing, err.message);
    io_disarm();
    check_copy(*jobs, *jobs, *jobs, *jobs);
    churn(*queue, 1);
    ++*jobs;
    check_copy(*jobs, *jobs, *jobs, *jobs);
    if (skip % 3 == 2) {
        qk_queue_close(*queue);
        check_copy(*jobs, *jobs, *jobs, *jobs);
        *queue = open_store();
    }
    return hits > 0;
}

static void test_full__checkpoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHECKPOINT_FAULTS; i++) {
        qk_queue *queue = open_fresh();
        int jobs = 0;
        unsigned skip = 0;
        while (skip < 30 && checkpoint_fault(&queue, &checkpoint_faults[i], skip, &jobs))
            skip++;
        print_message("%s: %u calls struck\n", checkpoint_faults[i].name, skip);
        assert_true(skip > 0);
        qk_queue_close(queue);
        remove_store();
    }
}

/* A checkpoint fails, and then the file cannot even be opened anew, until it can. */
static void test_full__no_file_for_a_while(void **state)
{
    (void)state;
    static const struct fault gone = {
        "the file is gone", MAIN_FILE, WRITES | SYNCS | TRUNCATES | OPENS, IO_FAIL, EIO, QK_EIO
    };
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    qk_queue *queue = open_fresh();
    qk_id first = put(queue), second = put(queue);
    qk_claims *claim = take(queue);
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.id = qk_id_new();
    snprintf(now_testing, sizeof(now_testing), "%s", gone.name);
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    size_t purged = 0;
    filter.older_than = qk_seconds(1000000);
    strike(&gone, 0);
    for (int i = 0; i < 3; i++) {
        check_refused(qk_purge(&purged, queue, &filter, &err), &err, QK_EIO, "purge");
        check_refused(qk_enqueue(NULL, queue, "work", "{}", &options, &err), &err, QK_EIO,
                      "enqueue");
        check_refused(qk_ack(queue, &claim->items[0].lease, NULL, &err), &err, QK_EIO, "ack");
        (void)qk_job_get(&job, queue, first, &err); /* may know it, may not reach the file */
        qk_job_free(job);
        job = NULL;
    }
    io_disarm();
    assert_int_equal(status_of(queue, first), QK_JOB_CLAIMED);
    good(qk_ack(queue, &claim->items[0].lease, "{\"r\":2}", &err));
    good(qk_enqueue(NULL, queue, "work", "{}", &options, &err));
    qk_claims_free(claim);
    check_copy(3, 3, 1, 1);
    assert_int_equal(status_of(queue, second), QK_JOB_PENDING);
    qk_queue_close(queue);
    check_copy(3, 3, 1, 1);
    remove_store();
}

#define POOL_JOBS 300
static atomic_int runs[POOL_JOBS];

/* In the middle of the work the disk begins to fail: what is reported from then on is in flight. */
static qk_status count_run(qk_task *task, void *user, qk_error *err)
{
    int number = atoi(qk_task_payload(task));
    (void)err;
    atomic_fetch_add(&runs[number], 1);
    if (number == POOL_JOBS / 2)
        io_arm(user);
    return QK_OK;
}

static void pool_fault(const struct fault *fault)
{
    qk_queue *queue = open_fresh();
    qk_worker *worker = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 4;
    options.drain = true;
    struct io_rule rule = { .files = fault->files,
                            .calls = fault->calls,
                            .action = fault->action,
                            .error = fault->error,
                            .times = 2 };
    snprintf(now_testing, sizeof(now_testing), "pool: %s", fault->name);
    for (int i = 0; i < POOL_JOBS; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "%d", i);
        atomic_store(&runs[i], 0);
        good(qk_enqueue(NULL, queue, "work", payload, NULL, &err));
    }
    good(qk_worker_open(&worker, queue, &options, &err));
    good(qk_worker_handle(worker, "work", count_run, &rule, &err));
    good(qk_worker_run(worker, &err));
    assert_true(io_hits() > 0);
    io_disarm();
    for (int i = 0; i < POOL_JOBS; i++) {
        if (atomic_load(&runs[i]) != 1)
            fail_msg("%s: job %d ran %d times", now_testing, i, atomic_load(&runs[i]));
    }
    qk_worker_close(worker);
    check_copy(POOL_JOBS, POOL_JOBS, POOL_JOBS, POOL_JOBS);
    qk_queue_close(queue);
    remove_store();
}

static void test_full__reports_of_a_pool_are_not_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMIT_FAULTS; i++)
        pool_fault(&commit_faults[i]);
}

static void test_full__a_limit_on_file_sizes(void **state)
{
    (void)state;
    struct rlimit before, tight;
    struct stat info;
    char wal[400];
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_fresh();
    snprintf(now_testing, sizeof(now_testing), "a limit on file sizes");
    (void)put(queue);
    snprintf(wal, sizeof(wal), "%s.wal", store_path);
    assert_int_equal(stat(wal, &info), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)info.st_size + 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    qk_status rc = qk_enqueue(NULL, queue, "work", "{}", NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_refused(rc, &err, QK_EFULL, "enqueue");
    check_copy(1, 1, 0, 0);
    (void)put(queue);
    check_copy(2, 2, 0, 0);
    qk_queue_close(queue);
    remove_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full__commit),
        cmocka_unit_test(test_full__in_the_middle_of_a_large_batch),
        cmocka_unit_test(test_full__checkpoint),
        cmocka_unit_test(test_full__no_file_for_a_while),
        cmocka_unit_test(test_full__reports_of_a_pool_are_not_lost),
        cmocka_unit_test(test_full__a_limit_on_file_sizes),
    };
    const char *tmp = getenv("TMPDIR"), *only = getenv("ONLY");
    snprintf(folder, sizeof(folder), "%.200s/full-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return 1;
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
