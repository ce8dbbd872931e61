/*
 * Sub-DAGs whose run is in another store: results, failures, retries, cancels and pauses cross over,
 * pools and processes may end at any moment, and there is one run there all the same.
 * Covers worker/ferry.c, worker/far_run.c, queue/others.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <queuack/queuack.h>

#define PATIENCE qk_seconds(60)

struct world {
    char folder[256], here[300], there[300];
    qk_queue *queue, *other;
    qk_worker *pool, *far_pool;
};

/* Where the process kills itself, once: the file tells that it has. */
static const char *dies_in;
static char died[300];

static void die_once(const char *where)
{
    if (!dies_in || strcmp(dies_in, where) != 0)
        return;
    int fd = open(died, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd >= 0)
        kill(getpid(), SIGKILL);
}

/* Counts its runs in a file named for the node; fails while a file fail-<node> is there. */
static qk_status work(qk_task *task, void *user, qk_error *err)
{
    const struct world *w = user;
    char path[700];
    die_once("job");
    snprintf(path, sizeof(path), "%s/ran-%s", w->folder, qk_task_node(task));
    FILE *file = fopen(path, "a");
    if (file) {
        fputs("x", file);
        fclose(file);
    }
    snprintf(path, sizeof(path), "%s/fail-%s", w->folder, qk_task_node(task));
    if (access(path, F_OK) == 0) {
        snprintf(err->message, sizeof(err->message), "as asked");
        return QK_EJOBFAILED;
    }
    return qk_task_result(task, "{\"rows\":7}", err);
}

static qk_status build(qk_dag **out, const qk_factory_call *call, void *user, qk_error *err)
{
    static const char *const first[] = { "first" };
    qk_job_options once = QK_JOB_OPTIONS_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    (void)call, (void)user;
    die_once("factory");
    once.max_attempts = 1;
    options.job = &once;
    qk_status rc = qk_dag_new(out, "far", NULL, err);
    if (!rc)
        rc = qk_dag_add(*out, "first", "work", NULL, &options, err);
    options.after = first;
    options.after_count = 1;
    return rc ? rc : qk_dag_add(*out, "second", "work", NULL, &options, err);
}

static qk_worker *pool_of(struct world *w, qk_queue *queue)
{
    qk_worker *pool = NULL;
    qk_worker_options options = QK_WORKER_OPTIONS_INIT;
    options.concurrency = 1;
    assert_int_equal(qk_worker_open(&pool, queue, &options, NULL), QK_OK);
    assert_int_equal(qk_worker_handle(pool, "work", work, w, NULL), QK_OK);
    assert_int_equal(qk_worker_factory(pool, "far", build, NULL, NULL), QK_OK);
    assert_int_equal(qk_worker_start(pool, NULL), QK_OK);
    return pool;
}

static void open_world(struct world *w)
{
    const qk_store_alias stores[] = { { "far", w->there } };
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    options.stores = stores;
    options.store_count = 1;
    if (qk_queue_open(&w->queue, w->here, &options, &err))
        fail_msg("%s", err.message);
    if (qk_queue_other(&w->other, w->queue, "far", &err))
        fail_msg("%s", err.message);
}

static void close_world(struct world *w)
{
    qk_worker_close(w->pool);
    qk_worker_close(w->far_pool);
    qk_queue_close(w->queue);
    w->pool = w->far_pool = NULL;
    w->queue = w->other = NULL;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    const char *temp = getenv("TMPDIR");
    snprintf(w->folder, sizeof(w->folder), "%s/far-XXXXXX", temp ? temp : "/tmp");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->here, sizeof(w->here), "%s/here.duckdb", w->folder);
    snprintf(w->there, sizeof(w->there), "%s/there.duckdb", w->folder);
    dies_in = NULL;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    close_world(*state);
    free(*state); /* the folder goes with TMPDIR */
    return 0;
}

static void set_failing(const struct world *w, const char *node, bool failing)
{
    char path[700];
    snprintf(path, sizeof(path), "%s/fail-%s", w->folder, node);
    int fd = failing ? open(path, O_CREAT | O_WRONLY, 0600) : -1;
    if (fd >= 0)
        close(fd);
    if (!failing)
        unlink(path);
}

static void assert_ran(const struct world *w, const char *node, off_t times)
{
    char path[700];
    snprintf(path, sizeof(path), "%s/ran-%s", w->folder, node);
    int fd = open(path, O_RDONLY);
    assert_int_equal(fd < 0 ? 0 : lseek(fd, 0, SEEK_END), times);
    if (fd >= 0)
        close(fd);
}

/* far → after, under a given id, so that a second process submits the same. */
static qk_id submit(struct world *w, const qk_id *id)
{
    static const char *const far[] = { "far" };
    qk_dag *dag = NULL;
    qk_id run;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    qk_submit_options given = QK_SUBMIT_OPTIONS_INIT;
    options.store = "far";
    assert_int_equal(qk_dag_new(&dag, "near", NULL, NULL), QK_OK);
    assert_int_equal(qk_dag_add_factory(dag, "far", "far", NULL, &options, NULL), QK_OK);
    options.store = NULL;
    options.after = far;
    options.after_count = 1;
    assert_int_equal(qk_dag_add(dag, "after", "work", NULL, &options, NULL), QK_OK);
    given.id = id ? *id : qk_id_new();
    assert_int_equal(qk_run_submit(&run, w->queue, dag, &given, NULL), QK_OK);
    qk_dag_free(dag);
    return run;
}

static void assert_ends(struct world *w, qk_id run, qk_run_status status)
{
    qk_run_progress progress;
    qk_error err = QK_ERROR_INIT;
    if (qk_run_wait(&progress, w->queue, run, PATIENCE, NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(progress.status, status);
}

/* The only run there, which belongs to the node. */
static qk_id the_run_there(struct world *w, qk_id run)
{
    qk_job *node = NULL;
    qk_run_list *list = NULL;
    assert_int_equal(qk_run_node(&node, w->queue, run, "far", NULL), QK_OK);
    assert_int_equal(qk_run_list_get(&list, w->other, NULL, NULL), QK_OK);
    assert_int_equal(list->count, 1);
    assert_int_equal(qk_id_compare(list->items[0].parent_job, node->id), 0);
    qk_id found = list->items[0].id;
    qk_run_list_free(list);
    qk_job_free(node);
    return found;
}

static bool has_status(void *user, const qk_run_progress *progress)
{
    return progress->status != *(const qk_run_status *)user;
}

/* Waits until the run there stands so. */
static void await_there(struct world *w, qk_id child, qk_run_status status)
{
    qk_run_progress progress;
    qk_status rc = qk_run_wait(&progress, w->other, child, PATIENCE, has_status, &status, NULL);
    assert_true(rc == QK_EINTERRUPTED || (rc == QK_OK && progress.status == status));
}

/* Waits until the node has a run there. */
static void await_child(struct world *w)
{
    qk_run_list *list = NULL;
    for (size_t count = 0; count == 0;) {
        assert_int_equal(qk_run_list_get(&list, w->other, NULL, NULL), QK_OK);
        count = list->count;
        qk_run_list_free(list);
    }
}

static void assert_node(struct world *w, qk_id run, const char *result, const char *error)
{
    qk_job *node = NULL;
    assert_int_equal(qk_run_node(&node, w->queue, run, "far", NULL), QK_OK);
    assert_int_equal(node->status, error ? QK_JOB_FAILED : QK_JOB_DONE);
    assert_string_equal(error ? node->error : node->result, error ? error : result);
    qk_job_free(node);
}

static void test_far__run_there_is_the_nodes_result(void **state)
{
    struct world *w = *state;
    open_world(w);
    w->pool = pool_of(w, w->queue);
    w->far_pool = pool_of(w, w->other);
    qk_id run = submit(w, NULL);
    assert_ends(w, run, QK_RUN_DONE);
    (void)the_run_there(w, run);
    assert_node(w, run, "{\"second\":{\"rows\":7}}", NULL);
}

static void test_far__waiting_holds_no_slot(void **state)
{
    struct world *w = *state;
    open_world(w);
    w->pool = pool_of(w, w->queue);
    qk_id run = submit(w, NULL);
    await_child(w);
    qk_id other;
    assert_int_equal(qk_enqueue(&other, w->queue, "dag",
                                "{\"dag\":{\"name\":\"n\",\"nodes\":[{\"name\":\"beside\","
                                "\"kind\":\"work\"}]}}",
                                NULL, NULL),
                     QK_OK);
    assert_int_equal(qk_wait(NULL, w->queue, other, PATIENCE, NULL), QK_OK);
    assert_ran(w, "beside", 1);
    w->far_pool = pool_of(w, w->other);
    assert_ends(w, run, QK_RUN_DONE);
}

static void test_far__failure_and_retry_cross_over(void **state)
{
    struct world *w = *state;
    open_world(w);
    set_failing(w, "second", true);
    w->pool = pool_of(w, w->queue);
    w->far_pool = pool_of(w, w->other);
    qk_id run = submit(w, NULL);
    assert_ends(w, run, QK_RUN_FAILED);
    assert_node(w, run, NULL, "sub-DAG 'far' failed: 1/2 done, 1 failed");
    set_failing(w, "second", false);
    assert_int_equal(qk_run_retry(w->queue, run, NULL), QK_OK);
    assert_ends(w, run, QK_RUN_DONE);
    (void)the_run_there(w, run);
    assert_ran(w, "first", 1);
    assert_ran(w, "second", 2);
    assert_ran(w, "after", 1);
}

static void test_far__cancel_crosses_over_and_can_be_undone(void **state)
{
    struct world *w = *state;
    open_world(w);
    w->pool = pool_of(w, w->queue);
    qk_id run = submit(w, NULL);
    await_child(w);
    qk_id child = the_run_there(w, run);
    assert_int_equal(qk_run_cancel(w->queue, run, NULL), QK_OK);
    await_there(w, child, QK_RUN_CANCELLED);
    assert_int_equal(qk_run_retry(w->queue, run, NULL), QK_OK);
    w->far_pool = pool_of(w, w->other);
    assert_ends(w, run, QK_RUN_DONE);
    assert_ran(w, "first", 1);
}

static void test_far__pause_and_resume_cross_over(void **state)
{
    struct world *w = *state;
    open_world(w);
    w->pool = pool_of(w, w->queue);
    qk_id run = submit(w, NULL);
    await_child(w);
    qk_id child = the_run_there(w, run);
    assert_int_equal(qk_run_pause(w->queue, run, NULL), QK_OK);
    await_there(w, child, QK_RUN_PAUSED);
    w->far_pool = pool_of(w, w->other);
    assert_int_equal(qk_run_resume(w->queue, run, NULL), QK_OK);
    assert_ends(w, run, QK_RUN_DONE);
}

static void test_far__pools_and_stores_may_restart(void **state)
{
    struct world *w = *state;
    open_world(w);
    w->pool = pool_of(w, w->queue);
    qk_id run = submit(w, NULL);
    await_child(w);
    for (int i = 0; i < 4; i++) { /* more often than a worker may be lost */
        close_world(w);
        open_world(w);
        (void)the_run_there(w, run);
        w->pool = pool_of(w, w->queue);
    }
    w->far_pool = pool_of(w, w->other);
    assert_ends(w, run, QK_RUN_DONE);
    (void)the_run_there(w, run);
    assert_ran(w, "first", 1);
}

/* A life of a process that works on both stores. Ends by itself, or with SIGKILL. */
static bool live(struct world *w, qk_id run)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        open_world(w);
        w->pool = pool_of(w, w->queue);
        w->far_pool = pool_of(w, w->other);
        (void)submit(w, &run);
        await_child(w);
        qk_run_wait(NULL, w->other, the_run_there(w, run), PATIENCE, NULL, NULL, NULL);
        die_once("ended");
        qk_status rc = qk_run_wait(NULL, w->queue, run, PATIENCE, NULL, NULL, NULL);
        close_world(w);
        _exit(rc == QK_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return false;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return true;
}

static void test_far__killed_between_the_stores_repeats_nothing(void **state)
{
    static const char *const places[] = { "factory", "job", "ended" };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct world *w;
        void *fresh = NULL;
        qk_id run = qk_id_new();
        set_up(&fresh);
        w = fresh;
        dies_in = places[i];
        snprintf(died, sizeof(died), "%s/died", w->folder);
        assert_false(live(w, run));
        assert_true(live(w, run));
        dies_in = NULL;
        open_world(w);
        assert_ends(w, run, QK_RUN_DONE);
        (void)the_run_there(w, run);
        assert_ran(w, "after", 1);
        assert_ran(w, "first", 1); /* a job that was killed counts when it is done */
        tear_down(&fresh);
    }
    (void)state;
}

static void test_far__unknown_alias_fails_the_node(void **state)
{
    struct world *w = *state;
    qk_error err = QK_ERROR_INIT;
    qk_queue *none = NULL;
    assert_int_equal(qk_queue_open(&w->queue, w->here, NULL, NULL), QK_OK);
    assert_int_equal(qk_queue_other(&none, w->queue, "far", &err), QK_ENOTFOUND);
    w->pool = pool_of(w, w->queue);
    qk_id run = submit(w, NULL);
    assert_ends(w, run, QK_RUN_FAILED);
    assert_node(w, run, NULL,
                "there is no store 'far': give its alias and URL when opening the queue");
}

static void test_far__url_is_not_shown(void **state)
{
    struct world *w = *state;
    const qk_store_alias stores[] = { { "far", "nosuch://me:secret@host/db" } };
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    options.stores = stores;
    options.store_count = 1;
    assert_int_equal(qk_queue_open(&w->queue, w->here, &options, &err), QK_OK);
    assert_int_not_equal(qk_queue_other(&w->other, w->queue, "far", &err), QK_OK);
    assert_non_null(strstr(err.message, "far"));
    assert_null(strstr(err.message, "secret"));
}

#define FAR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAR_TEST(test_far__run_there_is_the_nodes_result),
        FAR_TEST(test_far__waiting_holds_no_slot),
        FAR_TEST(test_far__failure_and_retry_cross_over),
        FAR_TEST(test_far__cancel_crosses_over_and_can_be_undone),
        FAR_TEST(test_far__pause_and_resume_cross_over),
        FAR_TEST(test_far__pools_and_stores_may_restart),
        FAR_TEST(test_far__killed_between_the_stores_repeats_nothing),
        FAR_TEST(test_far__unknown_alias_fails_the_node),
        FAR_TEST(test_far__url_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
