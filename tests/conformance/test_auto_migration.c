/*
 * The four rows of the auto-migration table, under load with 2, 4, 8 and 16 workers: every job runs
 * exactly once, the handle says what happened, and a migrated store's file goes at close.
 */
#include "conformance/worker_fixture.h"

#include <poll.h>
#include <sys/stat.h>

#define JOBS 1000
#define PRODUCERS 8

typedef struct lines {
    pthread_mutex_t lock;
    int migrated, warnings;
    char text[600];
} lines;

static void keep_line(void *user, const qk_log_record *record)
{
    lines *lines = user;

    pthread_mutex_lock(&lines->lock);
    if (record->level == QK_LOG_INFO && strncmp(record->message, "AUTO-MIGRATED: ", 15) == 0) {
        lines->migrated++;
        snprintf(lines->text, sizeof(lines->text), "%s", record->message);
    }
    lines->warnings += record->level == QK_LOG_WARN;
    pthread_mutex_unlock(&lines->lock);
}

typedef struct load {
    fixture *f;
    atomic_uchar runs[JOBS];
} load;

static qk_status count_run(qk_task *task, void *user, qk_error *err)
{
    load *load = user;

    (void)err;
    atomic_fetch_add(&load->runs[atoi(qk_task_payload(task))], 1);
    return QK_OK;
}

typedef struct producer {
    load *load;
    int first;
} producer;

static void *produce(void *user)
{
    producer *self = user;
    char payload[16];
    qk_error err = QK_ERROR_INIT;

    for (int from = self->first; from < JOBS; from += PRODUCERS) {
        snprintf(payload, sizeof(payload), "%d", from);
        if (qk_enqueue(NULL, self->load->f->queue, "count", payload, NULL, &err) != QK_OK) {
            fprintf(stderr, "enqueue: %s\n", err.message);
            return self;
        }
    }
    return NULL;
}

static void start_own(fixture *f, load *load)
{
    qk_worker *worker = qk_queue_worker(f->queue);

    assert_non_null(worker);
    handle(worker, "count", count_run, load);
    start(worker);
}

/* Sleeps until something changed in the store. */
static void await_change(fixture *f)
{
    struct pollfd changed = { .fd = qk_queue_wait_fd(f->queue), .events = POLLIN };
    uint64_t count;

    if (poll(&changed, 1, 100) > 0)
        assert_true(read(changed.fd, &count, sizeof(count)) > 0 || errno == EAGAIN);
}

static void await_all_done(fixture *f)
{
    double before = seconds();
    uint64_t done = 0;

    while (done < JOBS && seconds() - before < 2 * PATIENCE_S) {
        qk_error err = QK_ERROR_INIT;
        qk_stats *stats = NULL;
        check(qk_stats_get(&stats, f->queue, &err), &err);
        done = stats->queues[0].counts[QK_JOB_DONE];
        qk_stats_free(stats);
        await_change(f);
    }
    assert_int_equal(done, JOBS);
}

/* Jobs come from several threads while the handle's own pool runs them. */
static void run_load(fixture *f, uint32_t workers)
{
    load *load = calloc(1, sizeof(*load));
    pthread_t threads[PRODUCERS];
    producer producers[PRODUCERS];

    assert_non_null(load);
    load->f = f;
    if (workers > 0)
        start_own(f, load);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){ load, i };
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    if (workers == 0) {
        qk_worker *worker = open_worker(f, 1, true);
        handle(worker, "count", count_run, load);
        run(worker);
        qk_worker_close(worker);
    }
    await_all_done(f);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(load->runs[i], 1);
    if (workers > 0) {
        qk_worker_stats stats = stats_of(qk_queue_worker(f->queue));
        assert_int_equal(stats.slots, workers);
        assert_int_equal(stats.lost + stats.failed + stats.retried, 0);
        /* The pool must not count runs into freed memory. */
        qk_worker_stop(qk_queue_worker(f->queue), false);
        run(qk_queue_worker(f->queue));
    }
    free(load);
}

static void open_with(fixture *f, lines *lines, const char *url, uint32_t workers, bool force)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;

    memset(lines, 0, sizeof(*lines));
    pthread_mutex_init(&lines->lock, NULL);
    options.workers_num = workers;
    options.force_memory_db = force;
    options.log = keep_line;
    options.log_user = lines;
    options.temp_dir = f->folder;
    check(qk_queue_open(&f->queue, url, &options, &err), &err);
}

static void close_queue(fixture *f, lines *lines)
{
    qk_queue_close(f->queue);
    f->queue = NULL;
    pthread_mutex_destroy(&lines->lock);
}

static uint64_t migrations(fixture *f)
{
    qk_counters counters;

    qk_counters_get(&counters, f->queue);
    return counters.auto_migrations;
}

static const uint32_t worker_counts[] = { 2, 4, 8, 16 };
#define EACH_COUNT(i) (size_t i = 0; i < sizeof(worker_counts) / sizeof(worker_counts[0]); i++)

static void test_file__is_used_as_it_is(void **state)
{
    fixture *f = *state;
    lines lines;

    for
        EACH_COUNT(i)
        {
            open_with(f, &lines, f->path, worker_counts[i], i % 2);
            assert_false(qk_queue_auto_migrated(f->queue));
            assert_string_equal(qk_queue_path(f->queue), f->path);
            run_load(f, worker_counts[i]);
            close_queue(f, &lines);
            assert_int_equal(lines.migrated, 0);
            assert_int_equal(access(f->path, F_OK), 0);
            unlink(f->path);
        }
}

static void test_memory__with_one_worker_or_none_stays(void **state)
{
    fixture *f = *state;
    lines lines;

    for (uint32_t workers = 0; workers <= 1; workers++) {
        open_with(f, &lines, ":memory:", workers, workers == 0);
        assert_false(qk_queue_auto_migrated(f->queue));
        assert_string_equal(qk_queue_path(f->queue), ":memory:");
        run_load(f, workers);
        assert_int_equal(migrations(f), 0);
        close_queue(f, &lines);
        assert_int_equal(lines.migrated, 0);
        assert_int_equal(lines.warnings, 0);
    }
}

static void test_memory__with_workers_moves_to_a_file_that_goes_at_close(void **state)
{
    fixture *f = *state;
    lines lines;
    char path[512], expected[700];
    struct stat status;

    for
        EACH_COUNT(i)
        {
            open_with(f, &lines, ":memory:", worker_counts[i], false);
            assert_true(qk_queue_auto_migrated(f->queue));
            snprintf(path, sizeof(path), "%s", qk_queue_path(f->queue));
            assert_non_null(strstr(path, "/auto_migrated_"));
            assert_int_equal(stat(path, &status), 0);
            assert_int_equal(status.st_mode & 0777, 0600);
            assert_int_equal(migrations(f), 1);
            snprintf(expected, sizeof(expected), "AUTO-MIGRATED: :memory: + %u workers → %s",
                     worker_counts[i], path);
            assert_int_equal(lines.migrated, 1);
            assert_string_equal(lines.text, expected);
            run_load(f, worker_counts[i]);
            close_queue(f, &lines);
            assert_int_equal(access(path, F_OK), -1);
        }
}

static void test_memory__forced_stays_warns_and_is_safe(void **state)
{
    fixture *f = *state;
    lines lines;

    for
        EACH_COUNT(i)
        {
            open_with(f, &lines, ":memory:", worker_counts[i], true);
            assert_false(qk_queue_auto_migrated(f->queue));
            assert_string_equal(qk_queue_path(f->queue), ":memory:");
            assert_int_equal(lines.warnings, 1);
            run_load(f, worker_counts[i]);
            close_queue(f, &lines);
            assert_int_equal(lines.migrated, 0);
        }
}

static int set_up_folder(void **state)
{
    *state = fixture_new();
    return 0;
}

int main(void)
{
#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_folder, tear_down)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_file__is_used_as_it_is),
        FOLDER_TEST(test_memory__with_one_worker_or_none_stays),
        FOLDER_TEST(test_memory__with_workers_moves_to_a_file_that_goes_at_close),
        FOLDER_TEST(test_memory__forced_stays_warns_and_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
