/*
 * Each allocation of a pool's life, of reopening a file, and of the store's own threads fails once.
 *
 * Opening, registering, starting fail whole. Once a pool runs, any of its threads, or the store's
 * writer, may be the one to run out: then a run may say so, but no job is lost, none is done twice,
 * none waits for a lease to run out, and a further run ends them all. See no_memory.h.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "no_memory.h"

#define JOBS 12 /* for the handler */
#define COMMANDS 2
#define ALL (JOBS + COMMANDS)
#define SLOW_S 20 /* a lease is 30 s: less than that, and far more than a run takes */

static atomic_int handled, succeeded;

/* The thread under test does not fail while it looks. */
static uint64_t count_of(qk_queue *queue, qk_job_status status)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    uint64_t count = 0;
    assert_good(qk_stats_get(&stats, queue, &err));
    for (size_t i = 0; i < stats->count; i++)
        count += stats->queues[i].counts[status];
    qk_stats_free(stats);
    return count;
}

static qk_status work(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    atomic_fetch_add(&handled, 1);
    qk_status rc = qk_task_progress(task, 0.5, "half", NULL);
    if (rc != QK_OK && rc != QK_ENOMEM)
        return rc;
    rc = qk_task_result(task, "{\"done\":[1,2,3]}", err);
    if (rc == QK_OK)
        atomic_fetch_add(&succeeded, 1);
    return rc;
}

static qk_worker *open_pool(qk_queue *queue, qk_error *err, qk_status *rc)
{
    qk_worker *pool = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    const char *queues[] = { "default", "other" };
    options.concurrency = 3;
    options.drain = true;
    options.queues = queues;
    options.queue_count = 2;
    *rc = qk_worker_open(&pool, queue, &options, err);
    if (*rc == QK_OK)
        *rc = qk_worker_handle(pool, "k", work, NULL, err);
    return pool;
}

static void test_open__of_a_pool_fails_whole(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    qk_queue *queue = open_or_fail(":memory:", NULL);
    long n = 1;
    for (has_failed = true; has_failed; n++) {
        qk_error err = QK_ERROR_INIT;
        qk_status rc;
        has_failed = false;
        fail_at = n;
        qk_worker *pool = open_pool(queue, &err, &rc);
        if (rc == QK_OK)
            rc = qk_worker_start(pool, &err);
        fail_at = 0;
        qk_worker_close(pool);
        if (rc != QK_OK && (!has_failed || rc != QK_ENOMEM))
            fail_msg("allocation %ld: code %d, %s", n, (int)rc, err.message);
    }
    assert_true(n > 10);
    qk_queue_close(queue);
}

static void enqueue_jobs(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    static char large[2000];
    static const char command[] =
        "{\"argv\":[\"sh\",\"-c\",\"echo out; echo 1 >&2; cat\"],\"env\":{\"A\":\"b\"}}";
    qk_job_spec specs[ALL];
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    const char *tags[] = { "t" };
    options.tags = tags;
    options.tag_count = 1;
    options.backoff.base = qk_us(0);
    options.max_attempts = 3;
    options.continue_on_failure = true;
    memset(large, '1', sizeof(large) - 1);
    for (size_t i = 0; i < JOBS; i++)
        specs[i] = (qk_job_spec){ "k", i % 2 ? large : "1", &options };
    for (size_t i = JOBS; i < ALL; i++)
        specs[i] = (qk_job_spec){ "command", command, &options };
    assert_good(qk_enqueue_batch(NULL, queue, specs, ALL, &err));
}

static void run_pool(qk_queue *queue, long n)
{
    qk_error err = QK_ERROR_INIT;
    qk_status rc;
    spared = true; /* this thread's own failures are the other test's */
    qk_worker *pool = open_pool(queue, &err, &rc);
    assert_int_equal(rc, QK_OK);
    atomic_store(&fail_anywhere, n);
    rc = qk_worker_run(pool, &err);
    atomic_store(&fail_anywhere, 0);
    spared = false;
    if (rc != QK_OK && rc != QK_ENOMEM)
        fail_msg("allocation %ld: code %d, %s", n, (int)rc, err.message);
    qk_worker_close(pool);
}

static void run_with_failures(qk_queue *queue)
{
    for (long n = 1;; n++) {
        time_t begin = time(NULL);
        uint64_t done = count_of(queue, QK_JOB_DONE);
        if (n > 5000)
            fail_msg("there is no end of allocations");
        enqueue_jobs(queue);
        atomic_store(&has_failed_anywhere, false);
        atomic_store(&handled, 0);
        atomic_store(&succeeded, 0);
        run_pool(queue, n);
        if (count_of(queue, QK_JOB_DONE) != done + ALL)
            run_pool(queue, 0);
        assert_int_equal(count_of(queue, QK_JOB_DONE), done + ALL);
        assert_int_equal(succeeded, JOBS);
        if (time(NULL) - begin > SLOW_S)
            fail_msg("allocation %ld: a job waited for its lease", n);
        if (!has_failed_anywhere) {
            assert_true(n > 10);
            return;
        }
    }
}

static void test_run__loses_and_doubles_nothing(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    qk_queue *queue = open_or_fail(":memory:", NULL);
    run_with_failures(queue);
    qk_queue_close(queue);
}

static const char *file_path(void)
{
    static char path[512];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/no-memory-%d.duckdb", folder && *folder ? folder : "/tmp",
             (int)getpid());
    return path;
}

/* The writer, and whoever reports, while the calling thread has all it needs. */
static void test_writer__gets_over_each(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    qk_queue *queue = open_or_fail(file_path(), NULL);
    uint64_t jobs = 0;
    for (long n = 1;; n++) {
        atomic_store(&has_failed_anywhere, false);
        spared = true;
        atomic_store(&fail_anywhere, n);
        enqueue_jobs(queue);
        atomic_store(&fail_anywhere, 0);
        spared = false;
        jobs += ALL;
        assert_int_equal(count_of(queue, QK_JOB_PENDING), jobs);
        if (!has_failed_anywhere) {
            assert_true(n > 5);
            break;
        }
    }
    qk_queue_close(queue);
}

/* After the test above: live jobs, tags, large payloads, and a parent with its child. */
static void test_reopen__fails_whole(void **state)
{
    (void)state;
    SKIP_IF_SANITIZED();
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_or_fail(file_path(), NULL);
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_id parent;
    assert_good(qk_enqueue(&parent, queue, "parent", NULL, NULL, &err));
    options.needs = &parent;
    options.needs_count = 1;
    assert_good(qk_enqueue(NULL, queue, "child", NULL, &options, &err));
    assert_good(qk_queue_pause(queue, "paused", &err));
    uint64_t pending = count_of(queue, QK_JOB_PENDING);
    qk_queue_close(queue);
    long n = 1;
    for (has_failed = true; has_failed; n++) {
        queue = NULL;
        has_failed = false;
        fail_at = n;
        qk_status rc = qk_queue_open(&queue, file_path(), NULL, &err);
        fail_at = 0;
        if (rc != QK_OK && (!has_failed || rc != QK_ENOMEM))
            fail_msg("allocation %ld: code %d, %s", n, (int)rc, err.message);
        assert_true(rc == QK_OK || queue == NULL);
        if (rc == QK_OK)
            assert_int_equal(count_of(queue, QK_JOB_PENDING), pending);
        qk_queue_close(queue);
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__of_a_pool_fails_whole),
        cmocka_unit_test(test_run__loses_and_doubles_nothing),
        cmocka_unit_test(test_writer__gets_over_each),
        cmocka_unit_test(test_reopen__fails_whole),
    };
    dl_iterate_phdr(note_foreign, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
