/*
 * Workflow files that are wrong: tests/workflows/broken has one per kind of mistake. The first line
 * of each is a comment with the message it must give, from the line number on.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <queuack/workflow.h>

#define LEAST 60

static bool expected_message(char *out, size_t size, const char *file)
{
    char line[1024];
    FILE *in = fopen(file, "r");
    bool good = in && fgets(line, sizeof(line), in) && strncmp(line, "# ", 2) == 0;
    if (in)
        fclose(in);
    if (!good)
        return false;
    line[strcspn(line, "\n")] = '\0';
    snprintf(out, size, "%s:%s", file, line + 2);
    return true;
}

/* Returns whether it is refused as it should be. */
static bool check_file(const char *file)
{
    char expected[1536];
    qk_workflow *workflow = NULL;
    qk_error err = QK_ERROR_INIT;
    if (!expected_message(expected, sizeof(expected), file)) {
        print_error("%s: the first line says no message\n", file);
        return false;
    }
    qk_workflow_options options = QK_WORKFLOW_OPTIONS_INIT;
    options.params_optional = true;
    qk_status rc = qk_workflow_load(&workflow, file, &options, &err);
    qk_workflow_free(workflow);
    if (rc != QK_OK && strcmp(err.message, expected) == 0)
        return true;
    print_error("%s\n  expected %s\n  got      %s\n", file, expected,
                rc ? err.message : "no error");
    return false;
}

static void test_broken_file__is_told_with_its_place(void **state)
{
    (void)state;
    char folder[4096];
    const char *source = getenv("SOURCE_DIR");
    int count = 0, wrong = 0;
    assert_non_null(source);
    snprintf(folder, sizeof(folder), "%s/tests/workflows/broken", source);
    assert_int_equal(chdir(folder), 0);
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        wrong += !check_file(entry->d_name);
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_true(count >= LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_file__is_told_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
