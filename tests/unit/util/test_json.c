/*
 * The JSON check: a table of good and bad texts, and every cut and damaged byte of a good one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "util/json.h"

static qk_status check(const char *text, qk_error *err)
{
    return qk__json_check(text, strlen(text), err);
}

static void test_check__takes_what_is_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-12.5e+3",
        "1E5",
        "0.0",
        "10e-1",
        "123456789012345678901234567890",
        "1e999",
        "\"\"",
        "\"a\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uD83D\\uDE00\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"",
        "[]",
        "{}",
        " \t\r\n[ ] \n",
        "{ }",
        "[1]",
        "[1,2 , 3]",
        "[[],{},[[]]]",
        "{\"a\":1}",
        "{ \"a\" : [ { \"b\" : null } , true ] , \"c\" : \"\" }",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        qk_error err = QK_ERROR_INIT;
        if (check(good[i], &err) != QK_OK)
            fail_msg("%s: %s", good[i], err.message);
    }
}

typedef struct bad_text {
    const char *text;
    const char *message;
} bad_text;

static void test_check__refuses_the_rest_and_says_where(void **state)
{
    (void)state;
    static const bad_text bad[] = {
        { "", "unexpected end at byte 0" },
        { "   ", "unexpected end at byte 3" },
        { "nul", "unexpected character at byte 0" },
        { "nulL", "unexpected character at byte 0" },
        { "True", "unexpected character at byte 0" },
        { "NaN", "unexpected character at byte 0" },
        { "Infinity", "unexpected character at byte 0" },
        { "'a'", "unexpected character at byte 0" },
        { "1 2", "something after the value at byte 2" },
        { "[1]]", "something after the value at byte 3" },
        { "01", "something after the value at byte 1" },
        { "+1", "unexpected character at byte 0" },
        { ".5", "unexpected character at byte 0" },
        { "1.", "unexpected end at byte 2" },
        { "1.e5", "expected a digit at byte 2" },
        { "1e", "unexpected end at byte 2" },
        { "1e+", "unexpected end at byte 3" },
        { "-", "unexpected end at byte 1" },
        { "-a", "expected a digit at byte 1" },
        { "0x10", "something after the value at byte 1" },
        { "[", "unexpected end at byte 1" },
        { "[1", "unexpected end at byte 2" },
        { "[1,", "unexpected end at byte 3" },
        { "[1,]", "unexpected character at byte 3" },
        { "[,1]", "unexpected character at byte 1" },
        { "[1 2]", "expected a comma or a closing bracket at byte 3" },
        { "[1}", "expected a comma or a closing bracket at byte 2" },
        { "{", "unexpected end at byte 1" },
        { "{\"a\"", "unexpected end at byte 4" },
        { "{\"a\" 1}", "expected a colon at byte 5" },
        { "{\"a\":}", "unexpected character at byte 5" },
        { "{\"a\":1,}", "expected a key in double quotes at byte 7" },
        { "{a:1}", "expected a key in double quotes at byte 1" },
        { "{1:1}", "expected a key in double quotes at byte 1" },
        { "{\"a\":1]", "expected a comma or a closing bracket at byte 6" },
        { "{\"a\":1 \"b\":2}", "expected a comma or a closing bracket at byte 7" },
        { "]", "unexpected character at byte 0" },
        { "\"", "unexpected end at byte 1" },
        { "\"abc", "unexpected end at byte 4" },
        { "\"a\nb\"", "control character in a string at byte 2" },
        { "\"\x1f\"", "control character in a string at byte 1" },
        { "\"\\x41\"", "bad escape at byte 2" },
        { "\"\\", "unexpected end at byte 2" },
        { "\"\\u12\"", "bad \\u escape at byte 5" },
        { "\"\\u12g4\"", "bad \\u escape at byte 5" },
        { "\"\\ud83d\"", "half a surrogate pair at byte 7" },
        { "\"\\ud83dx\"", "half a surrogate pair at byte 7" },
        { "\"\\ud83d\\u0041\"", "half a surrogate pair at byte 13" },
        { "\"\\ude00\"", "half a surrogate pair at byte 7" },
        { "\"\x80\"", "not UTF-8 at byte 1" },
        { "\"\xc0\xaf\"", "not UTF-8 at byte 1" },
        { "\"\xc1\x81\"", "not UTF-8 at byte 1" },
        { "\"\xe0\x80\xaf\"", "not UTF-8 at byte 1" },
        { "\"\xed\xa0\x80\"", "not UTF-8 at byte 1" },
        { "\"\xf0\x8f\xbf\xbf\"", "not UTF-8 at byte 1" },
        { "\"\xf4\x90\x80\x80\"", "not UTF-8 at byte 1" },
        { "\"\xf5\x80\x80\x80\"", "not UTF-8 at byte 1" },
        { "\"\xff\"", "not UTF-8 at byte 1" },
        { "\"\xe2\x82\"", "not UTF-8 at byte 1" },
        { "\xef\xbb\xbf{}", "unexpected character at byte 0" },
        { "// c\n1", "unexpected character at byte 0" },
        { "\xc2\xa0"
          "1",
          "unexpected character at byte 0" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        qk_error err = QK_ERROR_INIT;
        assert_int_equal(check(bad[i].text, &err), QK_EINVAL);
        assert_string_equal(err.message, bad[i].message);
    }
}

static void test_check__a_nul_is_no_json(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    assert_int_equal(qk__json_check("1\0", 2, &err), QK_EINVAL);
    assert_int_equal(qk__json_check("\"a\0b\"", 5, &err), QK_EINVAL);
    assert_int_equal(qk__json_check("\"\\\0\"", 4, &err), QK_EINVAL);
    assert_int_equal(qk__json_check("{\0}", 3, &err), QK_EINVAL);
    assert_int_equal(qk__json_check("12", 1, &err), QK_OK); /* reads no further than told */
}

static void test_check__depth_ends_at_256(void **state)
{
    (void)state;
    char text[2 * 257 + 1];
    for (int depth = 255; depth <= 257; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = '\0';
        qk_error err = QK_ERROR_INIT;
        assert_int_equal(check(text, &err), depth <= 256 ? QK_OK : QK_EINVAL);
    }
    char *endless = malloc(1000000);
    assert_non_null(endless);
    memset(endless, '[', 1000000);
    qk_error err = QK_ERROR_INIT;
    assert_int_equal(qk__json_check(endless, 1000000, &err), QK_EINVAL);
    assert_string_equal(err.message, "nested too deep at byte 256");
    free(endless);
}

static const char sample[] = "{\"a\":[1,-2.5e3,\"x\\u00e9\\ud83d\\ude00\xc3\xa9\",true,null],"
                             "\"b\":{\"c\":{}},\"d\":false}";

static void test_check__no_prefix_of_an_object_passes(void **state)
{
    (void)state;
    for (size_t length = 0; length < strlen(sample); length++) {
        /* In a block of its exact size, so that a sanitizer sees a read behind its end. */
        char *cut = malloc(length + (length == 0));
        assert_non_null(cut);
        memcpy(cut, sample, length);
        assert_int_equal(qk__json_check(cut, length, NULL), QK_EINVAL);
        free(cut);
    }
    assert_int_equal(check(sample, NULL), QK_OK);
}

/* Every single changed byte is judged as jansson judges it, which knows the grammar too. */
static void test_check__agrees_with_a_parser_on_damaged_text(void **state)
{
    (void)state;
    char text[sizeof(sample)];
    size_t length = strlen(sample), refused = 0;
    for (size_t at = 0; at < length; at++) {
        for (int byte = 0; byte < 256; byte++) {
            memcpy(text, sample, sizeof(sample));
            text[at] = (char)byte;
            json_error_t problem;
            json_t *tree = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
            qk_status rc = qk__json_check(text, length, NULL);
            if ((rc == QK_OK) != (tree != NULL))
                fail_msg("byte %zu = %d: we say %d, jansson %s", at, byte, (int)rc,
                         tree ? "good" : problem.text);
            refused += rc != QK_OK;
            json_decref(tree);
        }
    }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__takes_what_is_json),
        cmocka_unit_test(test_check__refuses_the_rest_and_says_where),
        cmocka_unit_test(test_check__a_nul_is_no_json),
        cmocka_unit_test(test_check__depth_ends_at_256),
        cmocka_unit_test(test_check__no_prefix_of_an_object_passes),
        cmocka_unit_test(test_check__agrees_with_a_parser_on_damaged_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
