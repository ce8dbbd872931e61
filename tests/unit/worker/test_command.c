/*
 * The command executor (src/worker/command.c): jobs of the kind "command" through a pool, with the
 * machine's own sh, true, sleep.
 */
#include "conformance/worker_fixture.h"

#include <jansson.h>
#include <sched.h>

/* Payload {"argv": ["/bin/sh", "-c", script]} with more keys, as text: free() it. */
static char *payload_of(const char *script, json_t *more)
{
    json_t *payload = json_pack("{s:[s,s,s]}", "argv", "/bin/sh", "-c", script);

    assert_non_null(payload);
    json_object_update(payload, more);
    char *text = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    json_decref(more);
    assert_non_null(text);
    return text;
}

static qk_id enqueue_shell(fixture *f, const char *script, json_t *more,
                           const qk_job_options *options)
{
    char *payload = payload_of(script, more);
    qk_id id = enqueue(f, "command", payload, options);

    free(payload);
    return id;
}

/* Runs everything that waits, then looks at the job. */
static qk_job *drain(fixture *f, qk_id id)
{
    qk_worker *worker = open_worker(f, 1, true);

    run(worker);
    qk_worker_close(worker);
    return job_of(f, id);
}

static qk_job *run_shell(fixture *f, const char *script, json_t *more)
{
    return drain(f, enqueue_shell(f, script, more, NULL));
}

static void assert_failed(qk_job *job, const char *error, int exit_code)
{
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_string_equal(job->error, error);
    assert_int_equal(job->has_exit_code, exit_code >= 0);
    if (exit_code >= 0)
        assert_int_equal(job->exit_code, exit_code);
    qk_job_free(job);
}

static void assert_result(qk_job *job, const char *result)
{
    if (job->status != QK_JOB_DONE)
        fail_msg("%s: %s", qk_job_status_name(job->status), job->error ? job->error : "");
    assert_int_equal(job->exit_code, 0);
    if (result)
        assert_string_equal(job->result, result);
    else
        assert_null(job->result);
    qk_job_free(job);
}

static void test_exit_code__is_recorded_with_the_last_line(void **state)
{
    assert_failed(run_shell(*state, "echo first >&2; echo it broke >&2; exit 3", NULL),
                  "exit code 3: it broke", 3);
    assert_failed(run_shell(*state, "exit 4", NULL), "exit code 4", 4);
    assert_failed(run_shell(*state, "kill -KILL $$", NULL), "killed by signal 9 (SIGKILL)", 137);
}

static void test_result__is_the_last_line_of_output_if_json(void **state)
{
    assert_result(run_shell(*state, "echo '{\"x\":1}'; echo '[1,2]'", NULL), "[1,2]");
    assert_result(run_shell(*state, "echo '{\"x\":1}'; echo done", NULL), NULL);
    assert_result(run_shell(*state, "echo 42", NULL), NULL); /* neither object nor array */
    assert_result(run_shell(*state, "echo '{broken'", NULL), NULL);
    assert_result(run_shell(*state, "true", NULL), NULL);
}

static void test_result__of_the_file_comes_first(void **state)
{
    assert_result(run_shell(*state, "echo '{\"f\":1}' > $QUEUACK_RESULT; echo '[1]'", NULL),
                  "{\"f\":1}");
    assert_result(run_shell(*state, ": > $QUEUACK_RESULT; echo '[1]'", NULL), "[1]");
}

static void test_result__unusable_file_fails_the_job(void **state)
{
    qk_job *job = run_shell(*state, "echo '{broken' > $QUEUACK_RESULT", NULL);

    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_memory_equal(job->error, "the result file is not usable: ", 31);
    qk_job_free(job);
    job = run_shell(*state, "mkfifo $QUEUACK_RESULT", NULL); /* must not block either */
    assert_failed(job, "the result file is not usable: it is not a regular file", 0);
    job = run_shell(*state, "head -c 5000000 /dev/zero > $QUEUACK_RESULT", NULL);
    assert_failed(job,
                  "the result file is not usable: 5000000 bytes are more than the limit of "
                  "4194304",
                  0);
}

static void test_start__what_cannot_start_fails_and_says_why(void **state)
{
    fixture *f = *state;

    assert_failed(drain(f, enqueue(f, "command", "{\"argv\":[\"no-such-program\"]}", NULL)),
                  "cannot run no-such-program: No such file or directory", -1);
    assert_failed(drain(f, enqueue(f, "command", "{\"argv\":[\"/etc/passwd\"]}", NULL)),
                  "cannot run /etc/passwd: Permission denied", -1);
    assert_failed(run_shell(f, "true", json_pack("{s:s}", "cwd", "/no/such/folder")),
                  "cannot run in the folder /no/such/folder: No such file or directory", -1);
}

static void test_environment__has_the_job_and_the_payloads(void **state)
{
    fixture *f = *state;
    char id[QK_ID_TEXT_SIZE], expected[1024];
    json_t *more = json_pack("{s:{s:s,s:s},s:s,s:s}", "env", "REGION", "eu $HOME", "QUEUACK_SLOT",
                             "77", "cwd", "/usr", "stdin", "given");

    setenv("INHERITED", "yes", 1);
    setenv("QUEUACK_RUN_ID", "of-an-outer-worker", 1);
    qk_id job_id = enqueue_shell(f,
                                 "printf '[\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",\"%s\",%s,"
                                 "\"%s\",\"%s\"]' \"$QUEUACK_DB\" $QUEUACK_JOB_ID "
                                 "$QUEUACK_ATTEMPT $QUEUACK_SLOT \"$REGION\" $INHERITED $PWD "
                                 "\"$(cat $QUEUACK_UPSTREAM)\" \"${QUEUACK_RUN_ID-unset}\" "
                                 "\"$(cat)\"",
                                 more, NULL);
    qk_job *job = drain(f, job_id);
    unsetenv("QUEUACK_RUN_ID");
    snprintf(expected, sizeof(expected),
             "[\"%s\",\"%s\",\"1\",\"0\",\"eu $HOME\",\"yes\",\"/usr\",{},\"unset\",\"given\"]",
             qk_queue_path(f->queue), qk_id_format(id, job_id));
    assert_result(job, expected);
}

static void assert_bad_payload(fixture *f, const char *payload)
{
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    qk_id id;

    options.max_attempts = 3;
    /* What enqueue already refuses never comes this far. */
    if (qk_enqueue(&id, f->queue, "command", payload, &options, &err) == QK_EINVAL)
        return;
    qk_job *job = drain(f, id);
    assert_int_equal(job->status, QK_JOB_FAILED);
    assert_int_equal(job->attempts, 1); /* it can never become right */
    assert_memory_equal(job->error, "payload of the command: ", 24);
    qk_job_free(job);
}

static void test_payload__of_the_wrong_form_fails_for_good(void **state)
{
    static const char *const payloads[] = {
        "[]",
        "{}",
        "{\"argv\":[]}",
        "{\"argv\":\"true\"}",
        "{\"argv\":[1]}",
        "{\"argv\":[\"\"]}",
        "{\"argv\":[\"true\"],\"cwd\":1}",
        "{\"argv\":[\"true\"],\"cwd\":\"\"}",
        "{\"argv\":[\"true\"],\"env\":[]}",
        "{\"argv\":[\"true\"],\"env\":{\"A=B\":\"c\"}}",
        "{\"argv\":[\"true\"],\"env\":{\"A\":1}}",
        "{\"argv\":[\"true\"],\"stdin\":{}}",
    };

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        assert_bad_payload(*state, payloads[i]);
}

/* The one value of the first row of a query. */
static char *query(fixture *f, const char *sql)
{
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;

    check(qk_rows_open(&rows, f->queue, sql, qk_seconds(PATIENCE_S), &err), &err);
    check(qk_rows_next(rows, &err), &err);
    char *text = strdup(qk_rows_text(rows, 0));
    qk_rows_close(rows);
    assert_non_null(text);
    return text;
}

static void test_log_tail__is_the_end_of_both_streams_as_text(void **state)
{
    fixture *f = *state;

    qk_job_free(run_shell(f, "echo out; printf 'bad \\377 byte\\n' >&2; exit 1", NULL));
    char *tail = query(f, "SELECT log_tail FROM job_attempts");
    assert_non_null(strstr(tail, "out\n"));
    assert_non_null(strstr(tail, "bad \xEF\xBF\xBD byte\n"));
    free(tail);
}

static void test_log_tail__of_much_output_is_bounded(void **state)
{
    fixture *f = *state;

    qk_job_free(run_shell(f, "yes 0123456789 | head -c 10485760; echo end; exit 1", NULL));
    char *tail = query(f, "SELECT log_tail FROM job_attempts");
    assert_int_equal(strlen(tail), 65536);
    assert_string_equal(tail + strlen(tail) - 4, "end\n");
    free(tail);
}

static void test_progress__of_the_file_is_reported(void **state)
{
    fixture *f = *state;
    qk_job *job = run_shell(f,
                            "echo '0.25 a quarter' >> $QUEUACK_PROGRESS; "
                            "echo 'nonsense' >> $QUEUACK_PROGRESS; "
                            "echo '0.75 nearly there' >> $QUEUACK_PROGRESS; exit 1",
                            NULL);

    assert_true(job->progress == 0.75);
    assert_string_equal(job->progress_message, "nearly there");
    qk_job_free(job);
}

static void test_timeout__ends_the_group_and_keeps_the_output(void **state)
{
    fixture *f = *state;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    double before = seconds();

    options.timeout = qk_ms(300);
    qk_job *job = drain(f, enqueue_shell(f, "echo begun; sleep 60 & wait", NULL, &options));
    assert_true(seconds() - before < 10);
    assert_failed(job, "timeout after 0.3 s", 143);
    char *tail = query(f, "SELECT log_tail FROM job_attempts");
    assert_string_equal(tail, "begun\n");
    free(tail);
}

static void await_claimed(fixture *f, qk_id id, const char *marker)
{
    double before = seconds();

    while (access(marker, F_OK) != 0 && seconds() - before < PATIENCE_S)
        sched_yield();
    assert_status(f, id, QK_JOB_CLAIMED);
}

static void test_cancel__kills_the_command(void **state)
{
    fixture *f = *state;
    qk_error err = QK_ERROR_INIT;
    qk_worker *worker = open_worker(f, 1, true);
    char script[400], marker[320];

    snprintf(marker, sizeof(marker), "%s/begun", f->folder);
    snprintf(script, sizeof(script), ": > %s; sleep 60", marker);
    qk_id id = enqueue_shell(f, script, NULL, NULL);
    start(worker);
    await_claimed(f, id, marker);
    double before = seconds();
    check(qk_cancel(f->queue, id, &err), &err);
    run(worker); /* ends when the command has */
    assert_true(seconds() - before < 4);
    assert_status(f, id, QK_JOB_CANCELLED);
    qk_worker_close(worker);
}

static void test_stop__hard_kills_and_hands_back(void **state)
{
    fixture *f = *state;
    qk_worker *worker = open_worker(f, 1, false);
    char script[400], marker[320];

    snprintf(marker, sizeof(marker), "%s/begun", f->folder);
    snprintf(script, sizeof(script), ": > %s; sleep 60", marker);
    qk_id id = enqueue_shell(f, script, NULL, NULL);
    start(worker);
    await_claimed(f, id, marker);
    qk_worker_stop(worker, true);
    run(worker);
    qk_job *job = job_of(f, id);
    assert_int_equal(job->status, QK_JOB_PENDING);
    assert_int_equal(job->attempts, 0);
    qk_job_free(job);
    qk_worker_close(worker);
}

static void test_files__leave_nothing_behind(void **state)
{
    fixture *f = *state;
    qk_job *job = run_shell(f,
                            "echo 1 > $QUEUACK_RESULT; echo 0.5 > $QUEUACK_PROGRESS; "
                            "dirname $QUEUACK_RESULT >&2; exit 1",
                            NULL);
    const char *folder = strstr(job->error, ": ");

    assert_non_null(folder);
    assert_int_equal(folder[2], '/');
    assert_int_equal(access(folder + 2, F_OK), -1);
    assert_int_equal(errno, ENOENT);
    qk_job_free(job);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_exit_code__is_recorded_with_the_last_line),
        TEST(test_result__is_the_last_line_of_output_if_json),
        TEST(test_result__of_the_file_comes_first),
        TEST(test_result__unusable_file_fails_the_job),
        TEST(test_start__what_cannot_start_fails_and_says_why),
        TEST(test_environment__has_the_job_and_the_payloads),
        TEST(test_payload__of_the_wrong_form_fails_for_good),
        TEST(test_log_tail__is_the_end_of_both_streams_as_text),
        TEST(test_log_tail__of_much_output_is_bounded),
        TEST(test_progress__of_the_file_is_reported),
        TEST(test_timeout__ends_the_group_and_keeps_the_output),
        TEST(test_cancel__kills_the_command),
        TEST(test_stop__hard_kills_and_hands_back),
        TEST(test_files__leave_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
