/*
 * Workflows as real runs: values reach commands whole, whatever is in them, and are never read as
 * code; what cannot be handed over fails the task by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <queuack/queuack.h>

typedef struct fixture {
    qk_queue *queue;
    qk_id run;
    qk_status ended;
} fixture;

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static char *read_file(const char *name)
{
    static char text[1 << 20];
    FILE *in = fopen(name, "r");
    if (!in)
        fail_msg("%s was not written", name);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    return text;
}

/* `param` NULL: none. */
static void run(fixture *at, const char *yaml, const char *param, qk_register_fn reg)
{
    qk_error err = QK_ERROR_INIT;
    qk_workflow *workflow = NULL;
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    options.params = &param;
    options.param_count = param ? 1 : 0;
    if (qk_workflow_parse(&workflow, yaml, strlen(yaml), "flow.yaml", &options, &err))
        fail_msg("%s", err.message);
    if (qk_queue_open(&at->queue, ":memory:", NULL, &err) ||
        qk_run_submit(&at->run, at->queue, qk_workflow_dag(workflow), NULL, &err))
        fail_msg("%s", err.message);
    at->ended = qk_run_execute(at->queue, at->run, 1, reg, NULL, &err);
    qk_workflow_free(workflow);
}

static void check_error(const fixture *at, const char *node, const char *expected)
{
    qk_job *job = NULL;
    assert_int_equal(qk_run_node(&job, at->queue, at->run, node, NULL), QK_OK);
    if (expected) {
        assert_int_equal(job->status, QK_JOB_FAILED);
        assert_string_equal(job->error, expected);
    } else {
        if (job->status != QK_JOB_DONE)
            fail_msg("%s is %s: %s", node, qk_job_status_name(job->status),
                     job->error ? job->error : "no error");
    }
    qk_job_free(job);
}

static void finish(fixture *at)
{
    qk_queue_close(at->queue);
}

static const char everywhere[] =
    "params: {v: x}\n"
    "tasks:\n"
    "  line:\n"
    "    env: {COPY: \"<${params.v}>\"}\n"
    "    run: |\n"
    "      printf %s ${params.v} > bare\n"
    "      printf %s pre-${params.v}-post > word\n"
    "      printf %s \"in ${params.v} quotes\" > quoted\n"
    "      printf %s \"$(printf %s \"$(printf %s ${params.v})\")\" > nested\n"
    "      printf %s \"${UNSET:-${params.v}}\" > fallback\n"
    "      printf %s \"$COPY\" > env\n"
    "      x=${params.v}; printf %s \"$x\" > assigned\n"
    "      case ${params.v} in nothing) exit 3 ;; *) printf %s ${params.v} > cased ;; esac\n"
    "      # don't mind this\n"
    "      cat > document <<END\n"
    "      it's ${params.v}\n"
    "      END\n"
    "  list:\n"
    "    run: [sh, -c, 'printf %s \"$1\" > list; printf %s \"$#\" > count', x, \"--v=${params.v}\", "
    "\"\"]\n";

static void check_text(const char *name, const char *before, const char *value, const char *after)
{
    char *text = read_file(name);
    size_t front = strlen(before), middle = strlen(value);
    if (strlen(text) != front + middle + strlen(after) || memcmp(text, before, front) != 0 ||
        memcmp(text + front, value, middle) != 0 || strcmp(text + front + middle, after) != 0)
        fail_msg("%s is not the value but %.200s", name, text);
}

static void check_everywhere(const char *value)
{
    fixture at = { 0 };
    char *param = malloc(strlen(value) + 3);
    assert_non_null(param);
    sprintf(param, "v=%s", value);
    run(&at, everywhere, param, NULL);
    check_error(&at, "line", NULL);
    check_error(&at, "list", NULL);
    check_text("bare", "", value, "");
    check_text("word", "pre-", value, "-post");
    check_text("quoted", "in ", value, " quotes");
    check_text("nested", "", value, "");
    check_text("fallback", "", value, "");
    check_text("env", "<", value, ">");
    check_text("assigned", "", value, "");
    check_text("cased", "", value, "");
    check_text("document", "it's ", value, "\n");
    check_text("list", "--v=", value, "");
    check_text("count", "", "2", "");
    assert_int_not_equal(access("pwned", F_OK), 0);
    finish(&at);
    free(param);
}

static void test_hostile_value__arrives_as_it_is(void **state)
{
    static const char *const values[] = {
        "",
        "plain",
        "two  words\tand a tab",
        "it's \"quoted\"",
        "'; touch pwned; '",
        "\"; touch pwned; \"",
        "$(touch pwned)`touch pwned`${PATH}$HOME",
        "a\nb; touch pwned\n\nEND\nc",
        "* ? [a-z] ~ \\ \\n && || | > < & ; # !",
        "-n --help %s %d",
        "${params.v} ${item} $${x.y}",
        "a[$(touch pwned)]",
        "caf\xc3\xa9 \xe2\x80\x94 \x01\x7f",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        check_everywhere(values[i]);
}

static char *long_value(size_t length)
{
    char *value = malloc(length + 3);
    assert_non_null(value);
    strcpy(value, "v=");
    memset(value + 2, 'x', length);
    value[length + 2] = '\0';
    return value;
}

static void test_value__of_what_a_program_takes_is_handed_over(void **state)
{
    static const char yaml[] = "params: {v: x}\n"
                               "tasks: {a: {run: \"printf %s ${params.v} | wc -c > size\"}}\n";
    fixture at = { 0 };
    (void)state;
    char *value = long_value(131055);
    run(&at, yaml, value, NULL);
    check_error(&at, "a", NULL);
    assert_int_equal(atoi(read_file("size")), 131055);
    finish(&at);
    free(value);
}

static void test_value__too_long_for_a_program_fails_the_task(void **state)
{
    static const char yaml[] = "params: {v: x}\n"
                               "tasks:\n"
                               "  line: {run: \"echo ${params.v}\", max_attempts: 5}\n"
                               "  list: {run: [echo, \"${params.v}\"]}\n"
                               "  vars: {run: env, env: {V: \"${params.v}\"}}\n";
    fixture at = { 0 };
    (void)state;
    char *value = long_value((size_t)1 << 20);
    run(&at, yaml, value, NULL);
    check_error(&at, "line",
                "the value of params.v has 1048576 bytes, a program can be given 131055: hand it "
                "over in a file");
    check_error(
        &at, "list",
        "the value of ${params.v} has 1048576 bytes, a program can be given 131071: hand it "
        "over in a file");
    check_error(
        &at, "vars",
        "the value of ${params.v} has 1048576 bytes, a program can be given 131069: hand it "
        "over in a file");
    finish(&at);
    free(value);
}

static void test_upstream_value__is_found_by_path_or_told(void **state)
{
    static const char yaml[] =
        "tasks:\n"
        "  a:\n"
        "    run: >-\n"
        "      printf '{\"rows\": 12, \"list\": [{\"id\": \"x y\"}, 2.50], \"nul\": \"a\\\\u0000b\"}'\n"
        "  good:\n"
        "    needs: a\n"
        "    run: |\n"
        "      printf '%s|' ${a.rows} ${a.list[0].id} ${a.list[-1]} ${a.list} > found\n"
        "      printf '%s|' ${default(a.none, 'd')} ${json(a.list[0].id)} ${len(a.list)} >> found\n"
        "      printf '%s|' ${status(a)} ${join(a.list, '+')} ${run.node} ${run.attempt} >> found\n"
        "  missing: {needs: a, run: \"echo ${a.none.deep}\"}\n"
        "  nul: {needs: a, run: \"echo ${a.nul}\"}\n"
        "  skipped: {needs: a, run: \"echo no\", when: a.rows > 12}\n";
    fixture at = { 0 };
    qk_job *job = NULL;
    (void)state;
    run(&at, yaml, NULL, NULL);
    check_error(&at, "good", NULL);
    assert_string_equal(read_file("found"),
                        "12|x y|2.50|[{\"id\": \"x y\"}, 2.50]|d|\"x y\"|2|done|"
                        "{\"id\": \"x y\"}+2.50|good|1|");
    check_error(&at, "missing",
                "${a.none.deep} has no value: correct it, or use default(…, '') for another");
    check_error(
        &at, "nul",
        "the value of a.nul has a NUL in it, which no program can be given: hand it over in "
        "a file");
    assert_int_equal(qk_run_node(&job, at.queue, at.run, "skipped", NULL), QK_OK);
    assert_int_equal(job->status, QK_JOB_SKIPPED);
    qk_job_free(job);
    finish(&at);
}

static void test_shell_variables__go_to_the_shell(void **state)
{
    static const char yaml[] =
        "secrets: [WF_TOKEN]\n"
        "environment: [WF_PLACE]\n"
        "tasks:\n"
        "  a:\n"
        "    env: {V: shell, N: 5}\n"
        "    run: |\n"
        "      printf '%s|' ${V} \"${V:-a.b}\" ${W:-c.d} ${V%ll} ${#V} $((N + 1)) > out\n"
        "      printf '%s|' $${x.y} \"$${x.y}\" '$${x.y}' ${env.WF_PLACE} ${env.WF_TOKEN} >> out\n";
    fixture at = { 0 };
    (void)state;
    setenv("WF_PLACE", "here and there", 1);
    setenv("WF_TOKEN", "s3cret", 1);
    run(&at, yaml, NULL, NULL);
    check_error(&at, "a", NULL);
    assert_string_equal(read_file("out"),
                        "shell|shell|c.d|she|5|6|${x.y}|${x.y}|${x.y}|here and there|s3cret|");
    finish(&at);
}

static void check_log(const fixture *at, const char *node, const char *wanted, const char *result)
{
    qk_job *job = NULL;
    qk_rows *rows = NULL;
    char sql[256], id[QK_ID_TEXT_SIZE];
    assert_int_equal(qk_run_node(&job, at->queue, at->run, node, NULL), QK_OK);
    snprintf(sql, sizeof(sql), "SELECT log_tail FROM job_attempts WHERE job_id = '%s'",
             qk_id_format(id, job->id));
    assert_int_equal(qk_rows_open(&rows, at->queue, sql, qk_seconds(20), NULL), QK_OK);
    assert_int_equal(qk_rows_next(rows, NULL), QK_OK);
    assert_string_equal(qk_rows_text(rows, 0), wanted);
    assert_string_equal(job->result, result);
    qk_rows_close(rows);
    qk_job_free(job);
}

static void test_secret__is_masked_in_output_and_result(void **state)
{
    static const char yaml[] = "secrets: [WF_TOKEN]\n"
                               "tasks:\n"
                               "  a:\n"
                               "    run: |\n"
                               "      test ${env.WF_TOKEN} = 's3\"cret'\n"
                               "      printf 'a s3\"cret b %s s3\"cre' \"$WF_TOKEN\"\n"
                               "      printf '{\"t\": \"s3\\\\\"cret\"}' > $QUEUACK_RESULT\n";
    fixture at = { 0 };
    (void)state;
    setenv("WF_TOKEN", "s3\"cret", 1);
    run(&at, yaml, NULL, NULL);
    check_error(&at, "a", NULL);
    check_log(&at, "a", "a *** b *** s3\"cre", "{\"t\": \"***\"}");
    finish(&at);
}

static void test_subdag__gets_what_with_amounts_to(void **state)
{
    static const char yaml[] =
        "params: {day: d1}\n"
        "tasks:\n"
        "  a: {run: \"echo '{\\\"rows\\\": 5}'\"}\n"
        "  place:\n"
        "    needs: a\n"
        "    dag: {params: {n: 0, w: x}, tasks: {p: {run: \"echo ${params.n} ${params.w} > place\"}}}\n"
        "    with: {n: \"${a.rows}\", w: \"<${params.day}>\"}\n"
        "  file: {needs: a, dag: child.yaml, with: {rows: \"${a.rows}\"}}\n"
        "  after: {needs: file, run: \"echo ${file.x.k} > after\"}\n"
        "  bad: {needs: a, dag: child.yaml, with: {rows: \"x${a.rows}\"}}\n";
    fixture at = { 0 };
    (void)state;
    write_file("child.yaml", "params: {rows: {type: integer}, tag: t}\n"
                             "tasks: {x: {run: \"echo ${params.rows} ${params.tag} > file; "
                             "echo '{\\\"k\\\": 7}'\"}}\n");
    run(&at, yaml, NULL, NULL);
    check_error(&at, "place", NULL);
    check_error(&at, "after", NULL);
    assert_string_equal(read_file("place"), "5 <d1>\n");
    assert_string_equal(read_file("file"), "5 t\n");
    assert_string_equal(read_file("after"), "7\n");
    check_error(&at, "bad", "with: param \"rows\" of 'child': expected integer, not \"x5\"");
    finish(&at);
}

static void test_file_that_names_itself__goes_down_while_its_condition_holds(void **state)
{
    static const char yaml[] = "params: {n: 3}\n"
                               "tasks:\n"
                               "  say:\n"
                               "    run: |\n"
                               "      n=${params.n}\n"
                               "      echo $n >> said\n"
                               "      echo \"{\\\"n\\\": $((n - 1))}\"\n"
                               "  again: {needs: say, when: say.n > 0, dag: loop.yaml, with: {n: "
                               "\"${say.n}\"}}\n";
    fixture at = { 0 };
    qk_error err = QK_ERROR_INIT;
    qk_workflow *workflow = NULL;
    (void)state;
    write_file("loop.yaml", yaml);
    assert_int_equal(qk_workflow_load(&workflow, "loop.yaml", NULL, &err), QK_OK);
    assert_int_equal(qk_queue_open(&at.queue, ":memory:", NULL, &err), QK_OK);
    assert_int_equal(qk_run_submit(&at.run, at.queue, qk_workflow_dag(workflow), NULL, &err),
                     QK_OK);
    assert_int_equal(qk_run_execute(at.queue, at.run, 1, NULL, NULL, &err), QK_OK);
    assert_string_equal(read_file("said"), "3\n2\n1\n");
    qk_workflow_free(workflow);
    finish(&at);
}

static qk_status echo(qk_task *task, void *user, qk_error *err)
{
    (void)user;
    return qk_task_result(task, qk_task_payload(task), err);
}

static qk_status register_echo(qk_worker *worker, void *user, qk_error *err)
{
    return qk_worker_handle(worker, "echo", echo, user, err);
}

static void test_payload__of_a_kind_has_its_values(void **state)
{
    static const char yaml[] =
        "params: {n: 3}\n"
        "tasks:\n"
        "  a: {run: \"echo '{\\\"rows\\\": [1, 2]}'\"}\n"
        "  b: {kind: echo, needs: a, payload: {n: \"${params.n}\", t: \"n=${params.n}\", l: "
        "[\"${a.rows}\"], x: \"$${y.z}\"}}\n"
        "  c: {kind: echo, payload: {plain: \"${HOME}\"}}\n";
    fixture at = { 0 };
    char *result = NULL;
    qk_job *job = NULL;
    static const char *const expected[][2] = {
        { "b", "{\"n\":3,\"t\":\"n=3\",\"l\":[[1, 2]],\"x\":\"${y.z}\"}" },
        { "c", "{\"plain\":\"${HOME}\"}" },
    };
    (void)state;
    run(&at, yaml, NULL, register_echo);
    for (size_t i = 0; i < 2; i++) {
        check_error(&at, expected[i][0], NULL);
        assert_int_equal(qk_run_node(&job, at.queue, at.run, expected[i][0], NULL), QK_OK);
        assert_int_equal(qk_result(&result, at.queue, job->id, NULL), QK_OK);
        assert_string_equal(result, expected[i][1]);
        free(result);
        qk_job_free(job);
    }
    finish(&at);
}

static void test_ends__run_for_what_happened(void **state)
{
    static const char good[] = "tasks: {a: {run: \"true\"}, b: {run: \"true\", needs: a}}\n"
                               "on_success: {run: touch success}\n"
                               "on_failure: {run: touch failure}\n";
    static const char bad[] = "tasks: {a: {run: \"false\"}, b: {run: \"true\", needs: a}}\n"
                              "on_success: {run: touch success}\n"
                              "on_failure: {run: touch failure}\n";
    fixture at = { 0 };
    (void)state;
    unlink("success");
    unlink("failure");
    run(&at, good, NULL, NULL);
    assert_int_equal(at.ended, QK_OK);
    finish(&at);
    assert_int_equal(access("success", F_OK), 0);
    assert_int_not_equal(access("failure", F_OK), 0);
    unlink("success");
    run(&at, bad, NULL, NULL);
    assert_int_equal(at.ended, QK_EJOBFAILED);
    finish(&at);
    assert_int_not_equal(access("success", F_OK), 0);
    assert_int_equal(access("failure", F_OK), 0);
}

/* What `queuack init` writes. */
static void test_starter__runs_as_it_is(void **state)
{
    char command[4096];
    fixture at = { 0 };
    const char *program = getenv("QUEUACK");
    (void)state;
    if (!program)
        skip();
    snprintf(command, sizeof(command), "'%s' init starter.yaml > init.out", program);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a path of ours */
    run(&at, read_file("starter.yaml"), "lines=3", NULL);
    assert_int_equal(at.ended, QK_OK);
    check_error(&at, "report", NULL);
    finish(&at);
}

int main(void)
{
    const char *folder = getenv("TMPDIR");
    if (folder && chdir(folder) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_value__arrives_as_it_is),
        cmocka_unit_test(test_value__of_what_a_program_takes_is_handed_over),
        cmocka_unit_test(test_value__too_long_for_a_program_fails_the_task),
        cmocka_unit_test(test_upstream_value__is_found_by_path_or_told),
        cmocka_unit_test(test_shell_variables__go_to_the_shell),
        cmocka_unit_test(test_secret__is_masked_in_output_and_result),
        cmocka_unit_test(test_subdag__gets_what_with_amounts_to),
        cmocka_unit_test(test_file_that_names_itself__goes_down_while_its_condition_holds),
        cmocka_unit_test(test_payload__of_a_kind_has_its_values),
        cmocka_unit_test(test_ends__run_for_what_happened),
        cmocka_unit_test(test_starter__runs_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
