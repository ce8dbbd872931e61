/*
 * A copy of a store in use: complete, of one moment, and never in the way of what stands there.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

/* In a folder of its own: the suite's must be empty when a test is over. */
static void target(char *out, size_t size)
{
    const char *temp = getenv("TMPDIR");
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/backup-XXXXXX", temp ? temp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(out, size, "%s/copy.duckdb", folder);
}

/* Fails unless nothing but the copy and its lock is there. */
static void clean_up(const char *path)
{
    char name[4300];
    char folder[4300];
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(name, sizeof(name), "%s.lock", path);
    unlink(name);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

/* Number of jobs with this status in the store at `path`; the copy is opened and closed. */
static uint64_t jobs_in(const char *path, qk_job_status status)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_stats *stats = NULL;
    uint64_t count = 0;
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.must_exist = true;
    if (qk_queue_open(&queue, path, &options, &err) || qk_stats_get(&stats, queue, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < stats->count; i++)
        count += stats->queues[i].counts[status];
    qk_stats_free(stats);
    qk_queue_close(queue);
    return count;
}

static void test_backup__holds_all_that_was_reported(suite *s)
{
    char path[4200];
    target(path, sizeof(path));
    qk_id done = suite_enqueue(s, "work", NULL);
    suite_finish(s, done);
    qk_id parent = suite_enqueue(s, "work", NULL);
    (void)suite_child(s, QK_MODE_ALL, &parent, 1);
    good(s, qk_queue_limit(s->queue, "small", 3, &s->err));
    good(s, qk_backup(s->queue, path, NULL, &s->err));
    assert_int_equal(jobs_in(path, QK_JOB_DONE), 1);
    assert_int_equal(jobs_in(path, QK_JOB_PENDING), 2);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    good(s, qk_store_check(path, NULL, &s->err));
    clean_up(path);
}

static void test_backup__replaces_nothing_unless_told(suite *s)
{
    char path[4200];
    char content[8] = "";
    qk_backup_options options = QK_BACKUP_OPTIONS_INIT;
    target(path, sizeof(path));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("mine", file);
    fclose(file);
    (void)suite_enqueue(s, "work", NULL);
    refused(s, QK_ECONFLICT, qk_backup(s->queue, path, &options, &s->err));
    file = fopen(path, "r");
    assert_non_null(fgets(content, sizeof(content), file));
    fclose(file);
    assert_string_equal(content, "mine");
    options.overwrite = true;
    good(s, qk_backup(s->queue, path, &options, &s->err));
    assert_int_equal(jobs_in(path, QK_JOB_PENDING), 1);
    refused(s, QK_EINVAL, qk_backup(s->queue, ":memory:", &options, &s->err));
    refused(s, QK_ENOTFOUND, qk_backup(s->queue, "/nonexistent/folder/x", &options, &s->err));
    options.version = 0;
    refused(s, QK_EINVAL, qk_backup(s->queue, path, &options, &s->err));
    if (s->opener->durable) {
        options.version = 1;
        refused(s, QK_EREFUSED, qk_backup(s->queue, qk_queue_path(s->queue), &options, &s->err));
    }
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    ++*(int *)user;
    return false;
}

static void test_backup__interrupted_leaves_nothing(suite *s)
{
    char path[4200];
    int calls = 0;
    qk_backup_options options = QK_BACKUP_OPTIONS_INIT;
    target(path, sizeof(path));
    options.progress = stop_at_once;
    options.progress_user = &calls;
    (void)suite_enqueue(s, "work", NULL);
    refused(s, QK_EINTERRUPTED, qk_backup(s->queue, path, &options, &s->err));
    assert_int_equal(calls, 1);
    assert_int_not_equal(access(path, F_OK), 0);
    options = (qk_backup_options)QK_BACKUP_OPTIONS_INIT;
    good(s, qk_backup(s->queue, path, &options, &s->err));
    clean_up(path);
}

typedef struct feeder {
    suite *s;
    atomic_int enqueued;
    atomic_bool stop;
    qk_error err;
} feeder;

static void *feed(void *argument)
{
    feeder *f = argument;
    while (!atomic_load(&f->stop) && !f->err.code) {
        qk_job_spec specs[10];
        for (int i = 0; i < 10; i++)
            specs[i] = (qk_job_spec){ "fed", "1", NULL };
        (void)qk_enqueue_batch(NULL, f->s->queue, specs, 10, &f->err);
        atomic_fetch_add(&f->enqueued, 10);
    }
    return NULL;
}

/* Batches are all or none, so a copy of one moment holds a multiple of ten. */
static void test_backup__is_of_one_moment_while_others_write(suite *s)
{
    feeder f = { .s = s, .err = QK_ERROR_INIT };
    pthread_t thread;
    qk_backup_options options = QK_BACKUP_OPTIONS_INIT;
    char path[4200];
    target(path, sizeof(path));
    options.overwrite = true;
    assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
    for (int i = 0; i < 3; i++) {
        int before = atomic_load(&f.enqueued);
        good(s, qk_backup(s->queue, path, &options, &s->err));
        uint64_t copied = jobs_in(path, QK_JOB_PENDING);
        assert_true(copied >= (uint64_t)before);
        assert_int_equal(copied % 10, 0);
    }
    atomic_store(&f.stop, true);
    pthread_join(thread, NULL);
    if (f.err.code)
        fail_msg("%s", f.err.message);
    good(s, qk_store_check(path, NULL, &s->err));
    clean_up(path);
}

static const suite_test tests[] = {
    SUITE_TEST(test_backup__holds_all_that_was_reported),
    SUITE_TEST(test_backup__replaces_nothing_unless_told),
    SUITE_TEST(test_backup__interrupted_leaves_nothing),
    SUITE_TEST(test_backup__is_of_one_moment_while_others_write),
};
SUITE_MAIN("conformance: backup", tests)
