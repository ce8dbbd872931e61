/*
 * The handle: URLs, options, auto-migration, forks, closing under load.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle_support.h"
#include "queue/queue_internal.h"

extern char **environ;

static char program[4096]; /* of this test, to run it as another process */

typedef struct fixture {
    char folder[512];
} fixture;

static int setup(void **state)
{
    const char *base = getenv("TMPDIR");
    fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    snprintf(f->folder, sizeof(f->folder), "%s/handle.XXXXXX", base ? base : "/tmp");
    *state = f;
    return mkdtemp(f->folder) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[600];
    fixture *f = *state;
    snprintf(command, sizeof(command), "rm -rf '%s'", f->folder);
    free(f);
    return system(command);
}

static size_t files_like(const char *folder, const char *pattern)
{
    char path[700];
    glob_t found;
    snprintf(path, sizeof(path), "%s/%s", folder, pattern);
    size_t count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void test_open__refuses_urls_it_cannot_serve(void **state)
{
    const fixture *f = *state;
    qk_queue *queue = (qk_queue *)f; /* must come back NULL */
    qk_error err = QK_ERROR_INIT;
    char path[700], long_path[5000];

    assert_refused(qk_queue_open(&queue, NULL, NULL, &err), QK_EINVAL,
                   "url: must not be empty: give a path or :memory:");
    assert_null(queue);
    assert_refused(qk_queue_open(&queue, "", NULL, &err), QK_EINVAL,
                   "url: must not be empty: give a path or :memory:");
    assert_refused(qk_queue_open(&queue, "postgres://u:secret@host/db", NULL, &err),
                   QK_EUNSUPPORTED,
                   "postgres://… is not supported: this build has no PostgreSQL store: give the "
                   "path of a file");
    assert_refused(qk_queue_open(&queue, "http://localhost:1", NULL, &err), QK_EUNSUPPORTED,
                   "http://… is not supported: this build has no client for a server: give the "
                   "path of a file");
    assert_int_equal(qk_queue_open(&queue, "unix:/run/q", NULL, &err), QK_EUNSUPPORTED);
    assert_refused(qk_queue_open(&queue, "redis://secret", NULL, &err), QK_EUNSUPPORTED,
                   "redis://… is not a kind of store: give the path of a file, or :memory:");
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(qk_queue_open(&queue, long_path, NULL, &err), QK_EINVAL);
    snprintf(path, sizeof(path), "%s/no/where.duckdb", f->folder);
    assert_int_equal(qk_queue_open(&queue, path, NULL, &err), QK_ENOTFOUND);
    assert_non_null(strstr(err.message, "/no of the store: No such file or directory"));
    assert_int_equal(qk_queue_open(&queue, f->folder, NULL, &err), QK_EINVAL);
    snprintf(path, sizeof(path), "%s/new/", f->folder);
    assert_int_equal(qk_queue_open(&queue, path, NULL, &err), QK_EINVAL);
    snprintf(path, sizeof(path), "%s/dangling", f->folder);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(qk_queue_open(&queue, path, NULL, &err), QK_ENOTFOUND);
    assert_int_equal(qk_queue_open(NULL, path, NULL, &err), QK_EINVAL);
    assert_null(queue);
    assert_int_equal(files_like(f->folder, "*"), 1); /* nothing was made */
}

static void test_open__refuses_bad_options(void **state)
{
    (void)state;
    qk_queue *queue = NULL;
    qk_error err = QK_ERROR_INIT;
    static char long_name[QK_NAME_MAX + 2];
    memset(long_name, 'q', QK_NAME_MAX + 1);

    qk_queue_options options;
    memset(&options, 0, sizeof(options));
    assert_refused(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL,
                   "queue options: version 0 is not known, start from QK_QUEUE_OPTIONS_INIT");
    options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    options.default_queue = long_name;
    assert_refused(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL,
                   "default_queue: longer than 255 bytes");
    options.default_queue = "";
    assert_int_equal(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL);
    options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    options.owner_wait = qk_seconds(-1);
    assert_refused(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL,
                   "owner_wait: must not be negative");
    options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    options.temp_dir = "/dev/null";
    assert_int_equal(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL);
    options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    options.max_payload = (size_t)2 << 30;
    assert_int_equal(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL);
    qk_clock half = { 0 };
    options = (qk_queue_options)QK_QUEUE_OPTIONS_INIT;
    options.clock = &half;
    assert_int_equal(qk_queue_open(&queue, ":memory:", &options, &err), QK_EINVAL);
    assert_null(queue);
}

static void test_open__every_name_of_a_file_is_the_same_store(void **state)
{
    const fixture *f = *state;
    char path[700], alias[700], folder_alias[700], real[4096];
    qk_error err = QK_ERROR_INIT;
    qk_id id;

    snprintf(path, sizeof(path), "%s/jobs.duckdb", f->folder);
    snprintf(alias, sizeof(alias), "%s/alias.duckdb", f->folder);
    snprintf(folder_alias, sizeof(folder_alias), "%s/up", f->folder);
    assert_non_null(realpath(f->folder, real));
    strcat(real, "/jobs.duckdb");
    qk_queue *queue = open_or_fail(path, NULL);
    assert_string_equal(qk_queue_path(queue), real);
    assert_false(qk_queue_auto_migrated(queue));
    assert_good(qk_enqueue(&id, queue, "k", "{}", NULL, &err));

    /* While it is open, a second opener by another name shares it, or meets the same lock. */
    assert_int_equal(symlink("jobs.duckdb", alias), 0);
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.owner_wait = qk_ms(1);
    qk_queue *second = NULL;
#ifdef QUEUACK_HTTP
    qk_job *shared = NULL;
    assert_good(qk_queue_open(&second, alias, &options, &err));
    assert_string_equal(qk_queue_path(second), real);
    assert_good(qk_job_get(&shared, second, id, &err));
    qk_job_free(shared);
    qk_queue_close(second);
#else
    assert_int_equal(qk_queue_open(&second, alias, &options, &err), QK_EBUSY);
#endif
    qk_queue_close(queue);

    queue = open_or_fail(alias, NULL);
    assert_string_equal(qk_queue_path(queue), real);
    qk_job *job = NULL;
    assert_good(qk_job_get(&job, queue, id, &err));
    qk_job_free(job);
    qk_queue_close(queue);

    assert_int_equal(symlink(".", folder_alias), 0);
    snprintf(path, sizeof(path), "%s/up/./up/new.duckdb", f->folder);
    queue = open_or_fail(path, NULL);
    assert_non_null(strstr(qk_queue_path(queue), "/new.duckdb"));
    assert_null(strstr(qk_queue_path(queue), "/up"));
    qk_queue_close(queue);
}

static qk_queue_options migrating(const fixture *f, kept_log *log, uint32_t workers)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.workers_num = workers;
    options.temp_dir = f->folder;
    options.log = keep_line;
    options.log_user = log;
    return options;
}

static void use(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    qk_id id;
    assert_good(qk_enqueue(&id, queue, "k", "{\"n\":1}", NULL, &err));
    assert_good(qk_claim(&claims, queue, NULL, &err));
    assert_int_equal(qk_id_compare(claims->items[0].lease.job, id), 0);
    assert_good(qk_ack(queue, &claims->items[0].lease, "[1]", &err));
    qk_claims_free(claims);
}

static uint64_t migrations(qk_queue *queue)
{
    qk_counters counters;
    qk_counters_get(&counters, queue);
    return counters.auto_migrations;
}

static void test_migrate__a_file_is_used_as_it_is(void **state)
{
    const fixture *f = *state;
    static kept_log log;
    const char *line = NULL;
    char path[700];
    snprintf(path, sizeof(path), "%s/a.duckdb", f->folder);
    qk_queue_options options = migrating(f, &log, 4);
    qk_queue *queue = open_or_fail(path, &options);
    use(queue);
    assert_false(qk_queue_auto_migrated(queue));
    assert_int_equal(migrations(queue), 0);
    assert_int_equal(lines_of(&log, QK_LOG_WARN, &line), 0);
    qk_queue_close(queue);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_migrate__memory_with_one_worker_stays(void **state)
{
    const fixture *f = *state;
    for (uint32_t workers = 0; workers <= 1; workers++) {
        kept_log log = { 0 };
        const char *line = NULL;
        qk_queue_options options = migrating(f, &log, workers);
        qk_queue *queue = open_or_fail(":memory:", &options);
        use(queue);
        assert_string_equal(qk_queue_path(queue), ":memory:");
        assert_false(qk_queue_auto_migrated(queue));
        assert_int_equal(lines_of(&log, QK_LOG_WARN, &line), 0);
        assert_int_equal(lines_of(&log, QK_LOG_INFO, &line), 0);
        qk_queue_close(queue);
    }
    assert_int_equal(files_like(f->folder, "*"), 0);
}

static void test_migrate__memory_with_workers_moves_to_a_private_file(void **state)
{
    const fixture *f = *state;
    static kept_log log;
    char expected[1024], path[700];
    const char *line = NULL;
    struct stat info;

    qk_queue_options options = migrating(f, &log, 4);
    qk_queue *queue = open_or_fail(":memory:", &options);
    assert_true(qk_queue_auto_migrated(queue));
    assert_int_equal(migrations(queue), 1);
    snprintf(path, sizeof(path), "%s", qk_queue_path(queue));
    assert_int_equal(lines_of(&log, QK_LOG_INFO, &line), 1);
    snprintf(expected, sizeof(expected), "AUTO-MIGRATED: :memory: + 4 workers → %s", path);
    assert_string_equal(line, expected);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode, S_IFREG | 0600);
    assert_true(files_like(f->folder, "auto_migrated_*.duckqueue.db") == 1);
    use(queue);
    qk_queue_close(queue);
    assert_int_equal(files_like(f->folder, "auto_migrated_*.duckqueue.db*"), 0);
}

static void test_migrate__forced_memory_stays_and_warns(void **state)
{
    const fixture *f = *state;
    static kept_log log;
    const char *line = NULL;
    qk_queue_options options = migrating(f, &log, 4);
    options.force_memory_db = true;
    qk_queue *queue = open_or_fail(":memory:", &options);
    use(queue);
    assert_string_equal(qk_queue_path(queue), ":memory:");
    assert_false(qk_queue_auto_migrated(queue));
    assert_int_equal(migrations(queue), 0);
    assert_int_equal(lines_of(&log, QK_LOG_WARN, &line), 1);
    assert_int_equal(lines_of(&log, QK_LOG_INFO, &line), 0);
    qk_queue_close(queue);
    assert_int_equal(files_like(f->folder, "*"), 0);
}

static void test_migrate__two_handles_have_two_files(void **state)
{
    const fixture *f = *state;
    static kept_log log;
    qk_queue_options options = migrating(f, &log, 2);
    qk_queue *a = open_or_fail(":memory:", &options);
    qk_queue *b = open_or_fail(":memory:", &options);
    assert_string_not_equal(qk_queue_path(a), qk_queue_path(b));
    use(a);
    use(b);
    qk_queue_close(a);
    assert_int_equal(access(qk_queue_path(b), F_OK), 0);
    use(b);
    qk_queue_close(b);
    assert_int_equal(files_like(f->folder, "auto_migrated_*.duckqueue.db*"), 0);
}

/* Runs this program as `hold FOLDER`: opens a migrated store, says its path, waits to be killed. */
static pid_t start_holder(const fixture *f, char *path, size_t size)
{
    int ends[2];
    pid_t pid;
    char *argv[] = { program, (char *)"hold", (char *)f->folder, NULL };
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    assert_non_null(output);
    assert_non_null(fgets(path, (int)size, output));
    fclose(output);
    path[strcspn(path, "\n")] = '\0';
    return pid;
}

static int hold(const char *folder)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_queue *queue = NULL;
    qk_error err = QK_ERROR_INIT;
    options.workers_num = 2;
    options.temp_dir = folder;
    if (qk_queue_open(&queue, ":memory:", &options, &err) ||
        qk_enqueue(NULL, queue, "k", "{}", NULL, &err)) {
        printf("%s\n", err.message);
        return 1;
    }
    printf("%s\n", qk_queue_path(queue));
    fflush(stdout);
    for (;;)
        pause();
}

static void test_migrate__files_of_dead_processes_go_at_the_next_open(void **state)
{
    const fixture *f = *state;
    static kept_log log;
    char path[700];
    int status;

    pid_t holder = start_holder(f, path, sizeof(path));
    assert_int_equal(access(path, F_OK), 0);
    qk_queue_options options = migrating(f, &log, 2);
    qk_queue *queue = open_or_fail(":memory:", &options);
    assert_int_equal(access(path, F_OK), 0); /* its process lives */
    qk_queue_close(queue);

    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(access(path, F_OK), 0);
    queue = open_or_fail(":memory:", &options);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(files_like(f->folder, "auto_migrated_*.duckqueue.db"), 1);
    qk_queue_close(queue);
    assert_int_equal(files_like(f->folder, "auto_migrated_*.duckqueue.db*"), 0);
}

/* In the child: the index of the first call that does not say QK_EFORKED, or 0. */
static int calls_after_fork(qk_queue *queue, qk_rows *rows)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    qk_job *job = NULL;
    qk_job_list *list = NULL;
    qk_stats *stats = NULL;
    qk_rows *more = NULL;
    char *text = NULL;
    qk_id id = qk_id_new();
    qk_lease lease = { id, 1, "w" };
    qk_outcome outcome = { .lease = lease };
    qk_job_spec spec = { "k", NULL, NULL };
    qk_counters counters;
    const qk_status answers[] = {
        qk_enqueue(NULL, queue, "k", NULL, NULL, &err),
        qk_enqueue_batch(NULL, queue, &spec, 1, &err),
        qk_claim(&claims, queue, NULL, &err),
        qk_claim_batch(&claims, queue, NULL, &err),
        qk_ack(queue, &lease, NULL, &err),
        qk_fail(queue, &lease, "x", false, &err),
        qk_nack(queue, &lease, qk_us(0), true, &err),
        qk_complete_batch(queue, NULL, &outcome, 1, &err),
        qk_heartbeat(queue, &lease, qk_us(0), &err),
        qk_progress(queue, &lease, 0.5, NULL, &err),
        qk_cancel(queue, id, &err),
        qk_retry(queue, id, &err),
        qk_job_get(&job, queue, id, &err),
        qk_result(&text, queue, id, &err),
        qk_wait(&job, queue, id, qk_us(0), &err),
        qk_job_list_get(&list, queue, NULL, &err),
        qk_dead_letters(&list, queue, NULL, &err),
        qk_purge(NULL, queue, NULL, &err),
        qk_stats_get(&stats, queue, &err),
        qk_queue_pause(queue, "q", &err),
        qk_queue_resume(queue, "q", &err),
        qk_rows_open(&more, queue, "SELECT 1", qk_us(0), &err),
        qk_rows_next(rows, &err),
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i] != QK_EFORKED)
            return (int)i + 1;
    }
    qk_counters_get(&counters, queue);
    if (qk_queue_wait_fd(queue) != -1 || counters.enqueued != 0)
        return 100;
    qk_rows_close(rows);
    qk_queue_close(queue); /* must neither hang nor touch the parent's file */
    return 0;
}

static void test_fork__the_child_is_refused_and_the_parent_goes_on(void **state)
{
    const fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    char path[700];
    int status = -1;
    snprintf(path, sizeof(path), "%s/f.duckdb", f->folder);
    qk_queue *queue = open_or_fail(path, NULL);
    qk_rows *rows = NULL;
    assert_good(qk_rows_open(&rows, queue, "SELECT id FROM jobs", qk_us(0), &err));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(calls_after_fork(queue, rows));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    qk_rows_close(rows);
    use(queue);
    qk_queue_close(queue);
    queue = open_or_fail(path, NULL);
    qk_queue_close(queue);
}

typedef struct waiter {
    pthread_t thread;
    qk_queue *queue;
    qk_id job;
    atomic_int *inside;
    int kind;
    qk_status rc;
} waiter;

/* Holds the handle open by a call of its own, so that what it then calls comes before, during or
 * after the beginning of the close, but never after its end. */
static void *wait_inside(void *arg)
{
    waiter *w = arg;
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    options.wait = qk_forever();
    if (qk__queue_enter(w->queue, NULL)) {
        w->rc = QK_EINTERNAL;
        atomic_fetch_add(w->inside, 1);
        return NULL;
    }
    atomic_fetch_add(w->inside, 1);
    if (w->kind == 0)
        w->rc = qk_claim(&claims, w->queue, &options, &err);
    else
        w->rc = qk_wait(NULL, w->queue, w->job, qk_forever(), &err);
    qk__queue_leave(w->queue);
    return NULL;
}

static void test_close__ends_the_calls_that_wait(void **state)
{
    (void)state;
    enum { WAITERS = 6 };
    for (int round = 0; round < 5; round++) {
        qk_error err = QK_ERROR_INIT;
        waiter waiters[WAITERS];
        atomic_int inside = 0;
        qk_job_options later = QK_JOB_OPTIONS_INIT;
        qk_id job;
        later.delay = qk_seconds(3600);
        qk_queue *queue = open_or_fail(":memory:", NULL);
        assert_good(qk_enqueue(&job, queue, "k", NULL, &later, &err));
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = (waiter){ .queue = queue, .job = job, .inside = &inside, .kind = i % 2 };
            assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_inside, &waiters[i]), 0);
        }
        while (atomic_load(&inside) < WAITERS)
            sched_yield();
        qk_queue_close(queue);
        for (int i = 0; i < WAITERS; i++) {
            pthread_join(waiters[i].thread, NULL);
            assert_int_equal(waiters[i].rc, QK_ECLOSED);
        }
    }
}

static void remember(void *arg)
{
    /* Still open: what a worker pool finishes while it closes must be taken. */
    qk_queue **queue = arg;
    qk_error err = QK_ERROR_INIT;
    assert_good(qk_enqueue(NULL, *queue, "k", NULL, NULL, &err));
    *queue = NULL;
}

static void test_close__runs_the_hook_first_and_keeps_what_it_reports(void **state)
{
    const fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    char path[700];
    snprintf(path, sizeof(path), "%s/c.duckdb", f->folder);
    qk_queue *queue = open_or_fail(path, NULL);
    qk_queue *hooked = queue;
    qk__queue_on_close(queue, remember, &hooked);
    qk_queue_close(queue);
    assert_null(hooked);
    queue = open_or_fail(path, NULL);
    qk_stats *stats = NULL;
    assert_good(qk_stats_get(&stats, queue, &err));
    assert_int_equal(stats->queues[0].counts[QK_JOB_PENDING], 1);
    qk_stats_free(stats);
    qk_queue_close(queue);
    qk_queue_close(NULL);
}

static void test_worker_id__names_host_and_process(void **state)
{
    (void)state;
    char host[256], expected[300];
    qk_queue *a = open_or_fail(":memory:", NULL);
    qk_queue *b = open_or_fail(":memory:", NULL);
    assert_int_equal(gethostname(host, sizeof(host)), 0);
    int length = snprintf(expected, sizeof(expected), "%s-%d-", host, (int)getpid());
    const char *id = qk__queue_worker_id(a);
    assert_int_equal(strncmp(id, expected, (size_t)length), 0);
    assert_int_equal(strlen(id), length + 8);
    assert_int_equal(strspn(id + length, "0123456789abcdef"), 8);
    assert_string_not_equal(id, qk__queue_worker_id(b));
    qk_queue_close(a);
    qk_queue_close(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "hold") == 0)
        return hold(argv[2]);
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(test_open__refuses_urls_it_cannot_serve),
        TEST(test_open__refuses_bad_options),
        TEST(test_open__every_name_of_a_file_is_the_same_store),
        TEST(test_migrate__a_file_is_used_as_it_is),
        TEST(test_migrate__memory_with_one_worker_stays),
        TEST(test_migrate__memory_with_workers_moves_to_a_private_file),
        TEST(test_migrate__forced_memory_stays_and_warns),
        TEST(test_migrate__two_handles_have_two_files),
        TEST(test_migrate__files_of_dead_processes_go_at_the_next_open),
        TEST(test_fork__the_child_is_refused_and_the_parent_goes_on),
        TEST(test_close__ends_the_calls_that_wait),
        TEST(test_close__runs_the_hook_first_and_keeps_what_it_reports),
        TEST(test_worker_id__names_host_and_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
