/*
 * Covers src/util/log.c and log_render.c: what a record says, and that a line stays one line of valid
 * JSON or logfmt whatever its texts hold and however little room there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#define NASTY "a\nb\r\t\"q\" \\ \x1b[31m=\x7f \xC2\x9B \xE2\x80\xAE \xE2\x80\xA8 \xFF\xC0 é"

typedef struct kept {
    qk_log_record record;
    char event[64], message[2048], text[64];
    int64_t number;
    int count;
} kept;

static void keep(void *user, const qk_log_record *record)
{
    kept *k = user;
    k->record = *record;
    k->count++;
    snprintf(k->event, sizeof(k->event), "%s", record->event);
    snprintf(k->message, sizeof(k->message), "%s", record->message);
    if (record->field_count == 2) {
        snprintf(k->text, sizeof(k->text), "%s=%s", record->fields[0].key, record->fields[0].text);
        k->number = record->fields[1].number;
    }
}

static qk_time noon(void *user)
{
    (void)user;
    return (qk_time){ 1700000000000042 };
}

static void test_event__says_when_what_and_with_which_fields(void **state)
{
    (void)state;
    kept k = { 0 };
    qk__log log = { keep, &k, QK_LOG_INFO, { noon, NULL, NULL } };
    qk__log_event(&log, QK_LOG_WARN, "queue.full",
                  QK__FIELDS(qk__log_text("queue", "mail"), qk__log_number("waiting", -7)),
                  "queue %s\nis full", "mail");
    assert_int_equal(k.count, 1);
    assert_int_equal(k.record.time.us, 1700000000000042);
    assert_int_equal(k.record.level, QK_LOG_WARN);
    assert_string_equal(k.event, "queue.full");
    assert_string_equal(k.message, "queue mail is full");
    assert_string_equal(k.text, "queue=mail");
    assert_int_equal(k.number, -7);
}

static void test_level__what_is_below_is_not_said(void **state)
{
    (void)state;
    kept k = { 0 };
    qk__log log = { keep, &k, QK_LOG_WARN, { 0 } };
    qk__log_event(&log, QK_LOG_INFO, "x", QK__NO_FIELDS, "x");
    qk__log_write(&log, QK_LOG_DEBUG, "x");
    assert_int_equal(k.count, 0);
    assert_false(qk__log_wants(&log, QK_LOG_INFO));
    qk__log_write(&log, QK_LOG_WARN, "x");
    assert_int_equal(k.count, 1);
    assert_string_equal(k.event, "note");
    qk_log_level level;
    for (int i = QK_LOG_DEBUG; i <= QK_LOG_ERROR; i++) {
        assert_int_equal(qk_log_level_parse(&level, qk_log_level_name((qk_log_level)i)), QK_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(qk_log_level_parse(&level, "loud"), QK_EINVAL);
    assert_int_equal(qk_log_level_parse(&level, NULL), QK_EINVAL);
    assert_null(qk_log_level_name((qk_log_level)4));
}

static void test_text__is_logfmt(void **state)
{
    (void)state;
    char line[QK_LOG_LINE_MAX];
    const qk_log_field fields[] = { { "path", "/x", 0 },
                                    { "title", "a b", 0 },
                                    { "empty", "", 0 },
                                    { "formula", "a=b", 0 },
                                    { "ms", NULL, 12 } };
    qk_log_record record = { { 1700000000000042 }, QK_LOG_INFO, "store.opened",
                             "opened it",          fields,      5 };
    size_t length = qk_log_render(line, sizeof(line), &record, QK_LOG_TEXT);
    assert_string_equal(line, "time=2023-11-14T22:13:20.000042Z level=info event=store.opened "
                              "msg=\"opened it\" path=/x title=\"a b\" empty=\"\" "
                              "formula=\"a=b\" ms=12\n");
    assert_int_equal(length, strlen(line));
}

/* One line, closed by a newline, and nothing in it that a terminal or a reader of lines obeys. */
static void assert_tame(const char *line, size_t length)
{
    assert_int_equal(strlen(line), length);
    assert_true(length > 0 && line[length - 1] == '\n');
    for (size_t i = 0; i + 1 < length; i++) {
        assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7F);
    }
    assert_null(strstr(line, "\xC2\x9B"));
    assert_null(strstr(line, "\xE2\x80\xAE"));
    assert_null(strstr(line, "\xE2\x80\xA8"));
}

static void test_json__keeps_texts_apart_from_the_line(void **state)
{
    (void)state;
    char line[QK_LOG_LINE_MAX];
    const qk_log_field fields[] = { { "path", NASTY, 0 }, { "n", NULL, INT64_MIN } };
    qk_log_record record = { { -1 }, QK_LOG_ERROR, NASTY, NASTY, fields, 2 };
    size_t length = qk_log_render(line, sizeof(line), &record, QK_LOG_JSON);
    assert_tame(line, length);
    json_t *parsed = json_loads(line, 0, NULL);
    assert_non_null(parsed);
    assert_string_equal(json_string_value(json_object_get(parsed, "time")),
                        "1969-12-31T23:59:59.999999Z");
    assert_string_equal(json_string_value(json_object_get(parsed, "level")), "error");
    assert_int_equal(json_integer_value(json_object_get(parsed, "n")), INT64_MIN);
    assert_null(json_object_get(parsed, "truncated"));
    /* The same text as went in, but for the two bytes that are no UTF-8. */
    const char *path = json_string_value(json_object_get(parsed, "path"));
    const char *bad = strstr(NASTY, "\xFF");
    size_t good = (size_t)(bad - NASTY);
    assert_memory_equal(path, NASTY, good);
    assert_string_equal(path + good, "\xEF\xBF\xBD\xEF\xBF\xBD é");
    json_decref(parsed);
    assert_tame(line, qk_log_render(line, sizeof(line), &record, QK_LOG_TEXT));
}

static void test_render__cuts_what_does_not_fit(void **state)
{
    (void)state;
    static char big[6000];
    char line[QK_LOG_LINE_MAX];
    const qk_log_field fields[] = { { "path", big, 0 }, { "n", NULL, INT64_MIN } };
    qk_log_record record = { { 1 }, QK_LOG_INFO, "e", "m", fields, 2 };
    static const char *const fillings[] = { "x", "\"", "é", "\x01", "\xFF", "=", " " };
    for (size_t f = 0; f < sizeof(fillings) / sizeof(fillings[0]); f++) {
        big[0] = '\0';
        while (strlen(big) + 3 < sizeof(big))
            strcat(big, fillings[f]);
        for (size_t size = 256; size <= sizeof(line); size += size < 300 ? 1 : 509) {
            memset(line, 0x55, sizeof(line));
            size_t length = qk_log_render(line, size, &record, QK_LOG_JSON);
            assert_true(length < size);
            assert_tame(line, length);
            json_t *parsed = json_loads(line, 0, NULL);
            assert_non_null(parsed);
            assert_true(json_is_true(json_object_get(parsed, "truncated")));
            json_decref(parsed);
            memset(line, 0x55, sizeof(line));
            length = qk_log_render(line, size, &record, QK_LOG_TEXT);
            assert_true(length < size);
            assert_tame(line, length);
            assert_non_null(strstr(line, " truncated=true\n"));
        }
    }
    assert_int_equal(qk_log_render(line, 255, &record, QK_LOG_JSON), 0);
    assert_int_equal(qk_log_render(NULL, 4096, &record, QK_LOG_JSON), 0);
}

#define WRITERS 4
#define LINES 500

typedef struct writer {
    qk_log_sink stream;
    int number;
} writer;

static void *write_lines(void *user)
{
    writer *w = user;
    qk__log log = { qk_log_to_sink, &w->stream, QK_LOG_DEBUG, { 0 } };
    for (int i = 0; i < LINES; i++) {
        qk__log_event(&log, QK_LOG_INFO, "test", QK__FIELDS(qk__log_number("writer", w->number)),
                      "%0900d", i);
    }
    return NULL;
}

static void test_stream__lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    char path[300];
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    int seen[WRITERS] = { 0 };
    char line[QK_LOG_LINE_MAX];
    snprintf(path, sizeof(path), "%s/log", getenv("TMPDIR"));
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){ { fd, QK_LOG_JSON }, i };
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    close(fd);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        json_t *parsed = json_loads(line, 0, NULL);
        assert_non_null(parsed);
        int from = (int)json_integer_value(json_object_get(parsed, "writer"));
        const char *message = json_string_value(json_object_get(parsed, "message"));
        assert_int_equal(atoi(message), seen[from]++);
        json_decref(parsed);
    }
    fclose(file);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(seen[i], LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event__says_when_what_and_with_which_fields),
        cmocka_unit_test(test_level__what_is_below_is_not_said),
        cmocka_unit_test(test_text__is_logfmt),
        cmocka_unit_test(test_json__keeps_texts_apart_from_the_line),
        cmocka_unit_test(test_render__cuts_what_does_not_fit),
        cmocka_unit_test(test_stream__lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
