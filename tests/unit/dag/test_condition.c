/*
 * Conditions: a table of expressions with their outcome, and of refused ones with their message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dag/condition.h"

static const char *result(void *user, size_t *length, const char *node)
{
    static const struct {
        const char *node, *json;
    } results[] = {
        { "clean", " {\"rows\": 12, \"first\":[{\"id\":\"a\\u00e9\\n\"},2,[]], \"ok\":true,"
                   "\"none\":null,\"big\":9007199254740993, \"name\":\"Tab\\tle\"} " },
        { "score", "{\"failed\":9}" },
        { "odd name", "{\"a b\":{\"c\":1}}" },
        { "run", "{\"id\":\"node\"}" },
        { "load-users", "{\"n\":1.5}" },
        { "text", "\"plain\"" },
        { "list", "[1, \"two\", null, {\"x\" : [ 1 ]}]" },
    };
    (void)user;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        if (strcmp(results[i].node, node) == 0) {
            *length = strlen(results[i].json);
            return results[i].json;
        }
    }
    return NULL;
}

static bool status(void *user, qk_job_status *out, const char *node)
{
    (void)user;
    *out = strcmp(node, "clean") == 0 ? QK_JOB_DONE : QK_JOB_FAILED;
    return strcmp(node, "nobody") != 0;
}

static const char *context(void *user, size_t *length, qk__context which)
{
    static const char *const texts[] = { "{\"day\":\"2026-11-01\"}", NULL, "{\"id\":\"r1\"}",
                                         "{\"HOME\":\"/h\"}" };
    (void)user;
    *length = texts[which] ? strlen(texts[which]) : 0;
    return texts[which];
}

static const qk__condition_source source = { result, status, context, NULL };

typedef struct row {
    const char *text, *value;
    bool truth;
} row;

static void check_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        qk_error err = QK_ERROR_INIT;
        qk__condition *condition = NULL;
        bool truth = !rows[i].truth;
        char *value = NULL;
        if (qk__condition_parse(&condition, rows[i].text, strlen(rows[i].text), &err))
            fail_msg("%s: %s", rows[i].text, err.message);
        assert_int_equal(qk__condition_eval(&truth, condition, &source), QK_OK);
        if (truth != rows[i].truth)
            fail_msg("%s is %d", rows[i].text, truth);
        assert_int_equal(qk__condition_value(&value, condition, &source), QK_OK);
        if (rows[i].value && strcmp(value, rows[i].value) != 0)
            fail_msg("%s is %s, not %s", rows[i].text, value, rows[i].value);
        free(value);
        qk__condition_free(condition);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_path__reaches_into_results(void **state)
{
    (void)state;
    static const row rows[] = {
        { "clean.rows", "12", true },
        { "clean.rows.deeper", "null", false },
        { "clean.missing", "null", false },
        { "nothing.at.all", "null", false },
        { "clean", NULL, true },
        { "clean.first[0].id", "\"a\xc3\xa9\\n\"", true },
        { "clean.first[1]", "2", true },
        { "clean.first[-1]", "[]", false },
        { "clean.first[3]", "null", false },
        { "clean.first[-4]", "null", false },
        { "clean['rows']", "12", true },
        { "clean.big", "9007199254740993", true },
        { "clean.none", "null", false },
        { "tasks.clean.rows", "12", true },
        { "tasks['odd name']['a b'].c", "1", true },
        { "run.id", "\"r1\"", true },
        { "tasks.run.id", "\"node\"", true },
        { "params.day", "\"2026-11-01\"", true },
        { "item", "null", false },
        { "env.HOME", "\"/h\"", true },
        { "load-users.n", "1.5", true },
        { "text", "\"plain\"", true },
        { "text.x", "null", false },
        { "text[0]", "null", false },
        { "list[3].x[0]", "1", true },
        { "clean.in", "null", false },
    };
    CHECK(rows);
}

static void test_comparison__never_fails(void **state)
{
    (void)state;
    static const row rows[] = {
        { "score.failed < 10", "true", true },
        { "score.failed<-1", "false", false },
        { "score.failed >= 9 and score.failed <= 9", "true", true },
        { "score.failed == 9.0", "true", true },
        { "score.failed == '9'", "false", false },
        { "score.failed != '9'", "true", true },
        { "score.failed < 'x'", "false", false },
        { "score.missing < 1", "false", false },
        { "score.missing >= 0", "false", false },
        { "score.missing == null", "true", true },
        { "'abc' < 'abd' and 'ab' < 'abc' and not ('b' < 'ab')", "true", true },
        { "true == true and null == null and true != false", "true", true },
        { "clean.first[2] == list[9]", "false", false },
        { "list == list", "true", true },
        { "2 in list", "false", false },
        { "'two' in list and null in list and 1 in list", "true", true },
        { "status(clean) in ['done', 'skipped']", "true", true },
        { "status(clean) in []", "false", false },
        { "'rows' in clean", "true", true },
        { "'lai' in text", "true", true },
        { "'' in text and not ('plainer' in text)", "true", true },
        { "1 in 1", "false", false },
    };
    CHECK(rows);
}

static void test_logic__binds_or_last(void **state)
{
    (void)state;
    static const row rows[] = {
        { "true or false and false", "true", true },
        { "(true or false) and false", "false", false },
        { "not true or true", "true", true },
        { "!true || !(false && true)", "true", true },
        { "not not not false", "true", true },
        { "false or 0 or '' or null", "false", false },
        { "not clean.rows == 12", "false", false },
        { "1 and 'a' and clean", "true", true },
    };
    CHECK(rows);
}

static void test_function__does_what_it_says(void **state)
{
    (void)state;
    static const row rows[] = {
        { "status(clean)", "\"done\"", true },
        { "status('odd name') == 'failed'", "true", true },
        { "status(tasks['odd name']) == 'failed'", "true", true },
        { "status(nobody) == null", "true", true },
        { "len(list)", "4", true },
        { "len(clean)", "6", true },
        { "len('a\xc3\xa9')", "2", true },
        { "len(12)", "null", false },
        { "exists(clean.none) or exists(clean.nix)", "false", false },
        { "exists(clean.ok)", "true", true },
        { "default(clean.nix, 'x')", "\"x\"", true },
        { "default(clean.rows, 'x')", "12", true },
        { "contains(list, 'two')", "true", true },
        { "contains(clean, 'rows')", "true", true },
        { "contains(12, 1)", "false", false },
        { "starts_with(text, 'pl') and ends_with(text, 'in')", "true", true },
        { "starts_with(text, 1) or ends_with('a', 'aa')", "false", false },
        { "upper(text) == 'PLAIN' and lower('AzZ[') == 'azz['", "true", true },
        { "lower(1)", "null", false },
        { "json(list)", "\"[1, \\\"two\\\", null, {\\\"x\\\" : [ 1 ]}]\"", true },
        { "json(text) == '\"plain\"' and json(nobody) == 'null'", "true", true },
        { "join(list, '-')", "\"1-two-null-{\\\"x\\\" : [ 1 ]}\"", true },
        { "join(text, '-')", "null", false },
    };
    CHECK(rows);
}

typedef struct refused {
    const char *text, *message;
} refused;

static void test_parse__names_the_place(void **state)
{
    (void)state;
    static const refused rows[] = {
        { "", "at byte 1: unexpected end, expected a value" },
        { "clean.rows <", "at byte 13: unexpected end, expected a value" },
        { "clean.rows = 1", "at byte 12: a single =: equality is ==" },
        { "clean rows", "at byte 7: expected an operator or the end" },
        { "1 == 1 == 1", "at byte 8: comparisons cannot be chained: join two with and" },
        { "(1", "at byte 3: unexpected end, expected ')'" },
        { "[1]", "at byte 1: expected a value" },
        { "clean.", "at byte 7: expected a key after the dot" },
        { "clean.1", "at byte 7: expected a key after the dot" },
        { "clean[x]", "at byte 7: expected a string or a whole number in the brackets" },
        { "clean[1.5]", "at byte 7: expected a string or a whole number in the brackets" },
        { "clean[1", "at byte 8: unexpected end, expected ']'" },
        { "'abc", "at byte 1: the string does not end" },
        { "01", "at byte 1: not a number" },
        { "1e", "at byte 1: not a number" },
        { "1x", "at byte 1: not a number" },
        { "-", "at byte 1: not a number" },
        { "tasks", "at byte 6: expected a node's name after tasks, as in tasks.clean.rows" },
        { "tasks[0]", "at byte 9: expected a node's name after tasks, as in tasks.clean.rows" },
        { "system('rm')",
          "at byte 7: no function 'system': there are status, len, exists, default, contains, "
          "starts_with, ends_with, lower, upper, json and join" },
        { "len(1, 2)", "at byte 10: len() takes 1 argument" },
        { "default(1)", "at byte 11: default() takes 2 arguments" },
        { "status(1)", "at byte 8: expected a node's name" },
        { "status(clean.rows)", "at byte 18: status() takes a node's name only" },
        { "a; b", "at byte 2: unexpected character" },
        { "a \xff", "at byte 3: not UTF-8" },
        { "'\xc3'", "at byte 2: not UTF-8" },
        { "and", "at byte 1: expected a value" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        qk_error err = QK_ERROR_INIT;
        qk__condition *condition = NULL;
        assert_int_equal(qk__condition_parse(&condition, rows[i].text, strlen(rows[i].text), &err),
                         QK_EINVAL);
        assert_null(condition);
        assert_string_equal(err.message, rows[i].message);
    }
}

static void test_parse__bounds_size_and_depth(void **state)
{
    (void)state;
    char text[5000];
    qk_error err = QK_ERROR_INIT;
    qk__condition *condition = NULL;
    memset(text, '(', sizeof(text));
    assert_int_equal(qk__condition_parse(&condition, text, 4096, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "nested too deep"));
    memset(text, '!', sizeof(text));
    assert_int_equal(qk__condition_parse(&condition, text, 4096, &err), QK_EINVAL);
    assert_non_null(strstr(err.message, "nested too deep"));
    assert_int_equal(qk__condition_parse(&condition, text, 4097, &err), QK_ETOOLARGE);
    /* A long flat one is no problem. */
    size_t length = 0;
    while (length < 4090) {
        memcpy(text + length, "a or ", 5);
        length += 5;
    }
    text[length++] = '1';
    assert_int_equal(qk__condition_parse(&condition, text, length, &err), QK_OK);
    qk__condition_free(condition);
}

static void test_nodes__are_told_once_each(void **state)
{
    (void)state;
    static const char text[] =
        "clean.rows > 1 and status(score) == 'done' or tasks['odd name'] and clean and params.x";
    qk__condition *condition = NULL;
    assert_int_equal(qk__condition_parse(&condition, text, strlen(text), NULL), QK_OK);
    assert_int_equal(qk__condition_node_count(condition), 3);
    assert_string_equal(qk__condition_node(condition, 0), "clean");
    assert_string_equal(qk__condition_node(condition, 1), "score");
    assert_string_equal(qk__condition_node(condition, 2), "odd name");
    assert_true(qk__condition_uses(condition, QK__CONTEXT_PARAMS));
    assert_false(qk__condition_uses(condition, QK__CONTEXT_RUN));
    qk__condition_free(condition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path__reaches_into_results),
        cmocka_unit_test(test_comparison__never_fails),
        cmocka_unit_test(test_logic__binds_or_last),
        cmocka_unit_test(test_function__does_what_it_says),
        cmocka_unit_test(test_parse__names_the_place),
        cmocka_unit_test(test_parse__bounds_size_and_depth),
        cmocka_unit_test(test_nodes__are_told_once_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
