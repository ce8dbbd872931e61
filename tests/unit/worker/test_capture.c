/*
 * Bounded output of commands (src/worker/capture.c), and text made fit (src/worker/clean.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/capture.h"
#include "worker/clean.h"

static void test_tail__keeps_the_last_bytes_whatever_the_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 3, 9, 10, 11, 19, 20, 21, 64 };

    for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
        qk__tail tail;
        char all[1000];
        size_t length;

        qk__tail_init(&tail, 10);
        for (size_t i = 0; i < sizeof(all); i++)
            all[i] = (char)('a' + i % 26);
        for (size_t at = 0; at < sizeof(all); at += pieces[p]) {
            size_t some = sizeof(all) - at < pieces[p] ? sizeof(all) - at : pieces[p];
            assert_true(qk__tail_append(&tail, all + at, some));
            const char *view = qk__tail_view(&tail, &length);
            size_t so_far = at + some, expected = so_far < 10 ? so_far : 10;
            assert_int_equal(length, expected);
            assert_memory_equal(view, all + so_far - expected, expected);
            assert_true(tail.length <= 20);
        }
        qk__tail_dispose(&tail);
    }
}

static void test_stream__is_bounded_to_one_mebibyte(void **state)
{
    (void)state;
    qk__stream stream;
    char chunk[4096];
    size_t length;

    qk__stream_init(&stream);
    for (int i = 0; i < 2560; i++) { /* 10 MiB */
        memset(chunk, 'a' + i % 26, sizeof(chunk));
        qk__stream_append(&stream, chunk, sizeof(chunk));
    }
    assert_int_equal(stream.total, 10 << 20);
    assert_int_equal(stream.head.length, QK__STREAM_HALF);
    assert_int_equal(stream.head.data[0], 'a');
    const char *tail = qk__tail_view(&stream.tail, &length);
    assert_int_equal(length, QK__STREAM_HALF);
    assert_int_equal(tail[length - 1], 'a' + 2559 % 26);
    assert_true(stream.tail.capacity <= 2 * QK__STREAM_HALF);
    qk__stream_dispose(&stream);
}

static void assert_last_line(const char *text, const char *expected)
{
    qk__stream stream;
    size_t length = 0;

    qk__stream_init(&stream);
    qk__stream_append(&stream, text, strlen(text));
    char *line = qk__stream_last_line(&stream, &length);
    if (expected) {
        assert_non_null(line);
        assert_string_equal(line, expected);
        assert_int_equal(length, strlen(expected));
    } else {
        assert_null(line);
    }
    free(line);
    qk__stream_dispose(&stream);
}

static void test_last_line__of_short_output(void **state)
{
    (void)state;
    assert_last_line("", NULL);
    assert_last_line("\n \r\n\n", NULL);
    assert_last_line("one", "one");
    assert_last_line("one\ntwo\n", "two");
    assert_last_line("one\ntwo\r\n\n  \n", "two");
    assert_last_line("one\n  {\"a\": 1}  \n", "  {\"a\": 1}");
}

/* A last line of `size` bytes after `before` bytes of other lines. */
static char *last_line_of(size_t before, size_t size, size_t *length)
{
    qk__stream stream;
    char *text = malloc(before + size + 1);

    assert_non_null(text);
    memset(text, 'x', before);
    if (before)
        text[before - 1] = '\n';
    memset(text + before, 'y', size);
    text[before + size] = '\n';
    qk__stream_init(&stream);
    for (size_t at = 0; at < before + size + 1; at += 60000) {
        size_t left = before + size + 1 - at;
        qk__stream_append(&stream, text + at, left < 60000 ? left : 60000);
    }
    char *line = qk__stream_last_line(&stream, length);
    qk__stream_dispose(&stream);
    free(text);
    return line;
}

static void test_last_line__across_head_and_tail(void **state)
{
    (void)state;
    size_t half = QK__STREAM_HALF;
    const size_t cases[][2] = {
        { half - 100, 200 }, { half, 200 },      { half - 1, 50 },     { half - 10, 10 },
        { half - 11, 10 },   { 0, half + 1000 }, { 3 * half, 100000 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = 0;
        char *line = last_line_of(cases[i][0], cases[i][1], &length);
        assert_non_null(line);
        assert_int_equal(length, cases[i][1]);
        assert_int_equal(line[0], 'y');
        assert_int_equal(line[length - 1], 'y');
        free(line);
    }
}

static void test_last_line__longer_than_what_was_kept_is_none(void **state)
{
    (void)state;
    size_t length = 0;

    assert_null(last_line_of(10, 3 * QK__STREAM_HALF, &length));
}

static void test_clean__replaces_what_is_not_text(void **state)
{
    (void)state;
    char *copy = qk__clean_copy("a\0b\xFFz\xC3\xA9", 7, 100);

    assert_non_null(copy);
    assert_string_equal(copy, "a\xEF\xBF\xBD"
                              "b\xEF\xBF\xBDz\xC3\xA9");
    free(copy);
}

static void test_clean__keeps_the_end_at_a_character(void **state)
{
    (void)state;
    char *copy = qk__clean_copy("abc\xC3\xA9"
                                "de",
                                7, 3);

    assert_non_null(copy);
    assert_string_equal(copy, "de");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail__keeps_the_last_bytes_whatever_the_pieces),
        cmocka_unit_test(test_stream__is_bounded_to_one_mebibyte),
        cmocka_unit_test(test_last_line__of_short_output),
        cmocka_unit_test(test_last_line__across_head_and_tail),
        cmocka_unit_test(test_last_line__longer_than_what_was_kept_is_none),
        cmocka_unit_test(test_clean__replaces_what_is_not_text),
        cmocka_unit_test(test_clean__keeps_the_end_at_a_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
