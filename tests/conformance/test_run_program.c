/*
 * The program's `runs` commands on a file that a program has left. Covers src/cli/cmd_runs*.c.
 */
#include "conformance/run_fixture.h"

/* What the program prints; its exit code must be `code`. */
static void assert_output(struct runs *f, const char *words, int code, const char *expected)
{
    char command[1024], text[4096] = "";
    const char *program = getenv("QUEUACK");
    assert_non_null(program);
    snprintf(command, sizeof(command), "'%s' --db '%s' %s 2>&1", program, f->path, words);
    FILE *out = popen(command, "r"); /* NOLINT(cert-env33-c): the program, as a person calls it */
    assert_non_null(out);
    size_t got = fread(text, 1, sizeof(text) - 1, out);
    text[got] = '\0';
    assert_int_equal(pclose(out) >> 8, code);
    if (strstr(text, expected) == NULL)
        fail_msg("%s printed: %s", words, text);
}

static void test_runs__shown_and_changed(void **state)
{
    struct runs *f = *state;
    struct node outer[] = { { .name = "sub", .dag = true },
                            { .name = "after", .after = { "sub" } } };
    struct node inner[] = { { .name = "x" } };
    (void)submit(f, "etl", outer, 2);
    (void)expand(f, "sub", "inner", inner, 1);
    work(f, "x", QK_VERDICT_FAIL, NULL);
    qk_queue_close(f->queue);
    assert_output(f, "--json runs list", 0, "\"name\":\"etl\"");
    assert_output(f, "--json runs show etl", 0, "\"failed_jobs\":1");
    assert_output(f, "--json runs tree @1", 0, "\"subdags\":[{\"id\":");
    assert_output(f, "runs tree etl", 0, "\n  inner  failed");
    assert_output(f, "runs wait etl", 1, "failed");
    assert_output(f, "runs cancel etl", 4, "cannot be cancelled");
    assert_output(f, "--json jobs show etl/after", 0, "\"skip_reason\":\"parent_failed:");
    assert_output(f, "--json runs retry etl", 0, "\"status\":\"running\"");
    assert_output(f, "--json runs pause etl", 0, "\"status\":\"paused\"");
    assert_output(f, "runs wait --timeout 10ms etl", 6, "has not ended yet");
    assert_output(f, "--json runs resume etl", 0, "\"status\":\"running\"");
    assert_output(f, "--json runs cancel etl", 0, "\"status\":\"cancelled\"");
    assert_output(f, "runs show nothing_of_that_name", 3, "there is no run");
    assert_output(f, "--json runs retry --from sub etl", 0, "\"status\":\"running\"");
    runs_open(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_runs__shown_and_changed),
    };
    return RUNS_MAIN(tests);
}
