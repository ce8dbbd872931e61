/*
 * Statuses, errors, log lines, clocks, buffers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/buffer.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/log.h"

static void test_status__rows_of_the_table(void **state)
{
    (void)state;
#define CHECK_ROW(name, value, json, http, exit_code, text)                                        \
    assert_string_equal(qk_status_json_code(QK_##name), json);                                     \
    assert_string_equal(qk_status_text(QK_##name), text);                                          \
    assert_int_equal(qk_status_http(QK_##name), http);                                             \
    assert_int_equal(qk_status_exit_code(QK_##name), exit_code);
    QK_STATUS_MAP(CHECK_ROW)
#undef CHECK_ROW
    assert_int_equal(qk_status_exit_code(QK_EINVAL), 2);
    assert_int_equal(qk_status_exit_code(QK_ENOTFOUND), 3);
    assert_int_equal(qk_status_exit_code(QK_ELEASE), 4);
    assert_int_equal(qk_status_exit_code(QK_EDAMAGED), 5);
    assert_int_equal(qk_status_exit_code(QK_ETIMEDOUT), 6);
}

static void test_status__unknown_codes_are_a_bug_of_ours(void **state)
{
    (void)state;
    const int odd[] = { 1, -24, -1000, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_string_equal(qk_status_json_code((qk_status)odd[i]), "internal");
        assert_int_equal(qk_status_http((qk_status)odd[i]), 500);
    }
}

static void test_error__is_one_line(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    err.system_errno = 99;
    assert_int_equal(qk__error(&err, QK_EINVAL, "a%sb\x7f%d", "\n\t\r\x1b", 5), QK_EINVAL);
    assert_string_equal(err.message, "a    b 5");
    assert_int_equal(err.code, QK_EINVAL);
    assert_int_equal(err.system_errno, 0);
    assert_int_equal(qk__error(NULL, QK_EBUSY, "x"), QK_EBUSY);
}

static void test_error__long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[2000];
    static const char *const characters[] = { "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
    for (size_t kind = 0; kind < 4; kind++) {
        size_t width = strlen(characters[kind]);
        for (size_t lead = 0; lead < 4; lead++) {
            size_t at = lead;
            memset(text, 'x', lead);
            for (; at + width < sizeof(text); at += width)
                memcpy(text + at, characters[kind], width);
            text[at] = '\0';
            qk_error err = QK_ERROR_INIT;
            qk__error(&err, QK_EIO, "%s", text);
            size_t length = strlen(err.message);
            assert_in_range(length, QK_ERROR_MESSAGE_SIZE - 4, QK_ERROR_MESSAGE_SIZE - 1);
            assert_int_equal((length - lead) % width, 0);
            assert_memory_equal(err.message, text, length);
        }
    }
}

static void test_error_errno__appends_the_reason(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    assert_int_equal(qk__error_errno(&err, QK_EIO, ENOENT, "opening %s", "x"), QK_EIO);
    assert_string_equal(err.message, "opening x: No such file or directory");
    assert_int_equal(err.system_errno, ENOENT);
    assert_int_equal(qk__error_errno(&err, QK_EIO, ENOSPC, "writing"), QK_EFULL);
    assert_int_equal(err.code, QK_EFULL);
    assert_int_equal(qk__error_errno(NULL, QK_EIO, EDQUOT, "writing"), QK_EFULL);
    assert_int_equal(qk__error_errno(NULL, QK_EIO, ENOMEM, "writing"), QK_ENOMEM);
}

typedef struct seen_line {
    qk_log_level level;
    char text[2048];
    int count;
} seen_line;

static void see_line(void *user, const qk_log_record *record)
{
    seen_line *seen = user;
    seen->level = record->level;
    seen->count++;
    strncpy(seen->text, record->message, sizeof(seen->text) - 1);
}

static void test_log__one_call_one_line(void **state)
{
    (void)state;
    static seen_line seen;
    qk__log log = { .fn = see_line, .user = &seen };
    qk__log silent = { 0 };
    qk__log_write(&silent, QK_LOG_ERROR, "nobody hears this");
    qk__log_write(NULL, QK_LOG_ERROR, "nor this");
    assert_int_equal(seen.count, 0);
    qk__log_write(&log, QK_LOG_WARN, "a\nb %d%%", 7);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.level, QK_LOG_WARN);
    assert_string_equal(seen.text, "a b 7%");
    qk__log_write(&log, QK_LOG_INFO, "%2000d", 1);
    assert_int_equal(strlen(seen.text), 1023);
}

static void test_clock__goes_forward(void **state)
{
    (void)state;
    qk_clock clock = qk__clock_system();
    int64_t last = clock.monotonic_us(clock.user);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock.monotonic_us(clock.user);
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock.wall(clock.user).us > INT64_C(1600000000000000));
}

static void test_buffer__grows_and_keeps_its_ceiling(void **state)
{
    (void)state;
    qk__buffer buffer;
    qk__buffer_init(&buffer, 200);
    for (int i = 0; i < 20; i++)
        assert_true(qk__buffer_append(&buffer, "0123456789", 10));
    assert_int_equal(buffer.length, 200);
    assert_true(qk__buffer_append(&buffer, "", 0));
    assert_false(buffer.failed);
    assert_false(qk__buffer_text(&buffer, "x"));
    assert_false(qk__buffer_printf(&buffer, "%d", 12));
    assert_true(buffer.failed);
    assert_int_equal(buffer.length, 200);
    assert_int_equal(strlen(buffer.data), 200);
    assert_null(qk__buffer_take(&buffer)); /* a failed series is not handed out */
    assert_int_equal(buffer.length, 0);
    qk__buffer_dispose(&buffer);
}

static void test_buffer__take_hands_over_and_starts_anew(void **state)
{
    (void)state;
    qk__buffer buffer;
    qk__buffer_init(&buffer, 1000);
    assert_true(qk__buffer_printf(&buffer, "%s-%d", "abc", 42));
    assert_true(qk__buffer_append(&buffer, "\0z", 2));
    assert_int_equal(buffer.length, 8);
    char *text = qk__buffer_take(&buffer);
    assert_memory_equal(text, "abc-42\0z", 9);
    free(text);
    assert_null(buffer.data);
    text = qk__buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
    qk__buffer_text(&buffer, "a");
    qk__buffer_clear(&buffer);
    assert_string_equal(buffer.data, "");
    qk__buffer_dispose(&buffer);
}

static void assert_quoted(const char *text, size_t length, const char *expected)
{
    qk__buffer buffer;
    qk__buffer_init(&buffer, 10000);
    assert_true(qk__buffer_json_string(&buffer, text, length));
    assert_string_equal(buffer.data, expected);
    assert_int_equal(qk__json_check(buffer.data, buffer.length, NULL), QK_OK);
    qk__buffer_dispose(&buffer);
}

static void test_buffer__json_strings(void **state)
{
    (void)state;
    assert_quoted("", 0, "\"\"");
    assert_quoted("plain", 5, "\"plain\"");
    assert_quoted("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_quoted("\b\t\n\f\r\x01\x1f\x7f", 8, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"");
    assert_quoted("a\0b", 3, "\"a\\u0000b\"");
    assert_quoted("\xc3\xa9", 2, "\"\xc3\xa9\"");
    assert_quoted("\xc3", 1, "\"\xef\xbf\xbd\"");
    assert_quoted("\xff\xfe"
                  "a\x80",
                  4,
                  "\"\xef\xbf\xbd\xef\xbf\xbd"
                  "a\xef\xbf\xbd\"");
    assert_quoted("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_buffer__a_json_string_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    qk__buffer buffer;
    qk__buffer_init(&buffer, 10);
    assert_true(qk__buffer_text(&buffer, "abc"));
    assert_false(qk__buffer_json_string(&buffer, "0123456789", 10));
    assert_string_equal(buffer.data, "abc");
    assert_int_equal(buffer.length, 3);
    qk__buffer_dispose(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__rows_of_the_table),
        cmocka_unit_test(test_status__unknown_codes_are_a_bug_of_ours),
        cmocka_unit_test(test_error__is_one_line),
        cmocka_unit_test(test_error__long_text_is_cut_between_characters),
        cmocka_unit_test(test_error_errno__appends_the_reason),
        cmocka_unit_test(test_log__one_call_one_line),
        cmocka_unit_test(test_clock__goes_forward),
        cmocka_unit_test(test_buffer__grows_and_keeps_its_ceiling),
        cmocka_unit_test(test_buffer__take_hands_over_and_starts_anew),
        cmocka_unit_test(test_buffer__json_strings),
        cmocka_unit_test(test_buffer__a_json_string_that_does_not_fit_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
