/*
 * Streams: what is written is read back in each format, nothing is left of what was given up, errors
 * say what is wrong, and memory does not grow with the file.
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <queuack/stream.h>

static const qk_field fields[] = {
    { "ok", QK_FIELD_BOOL },   { "n", QK_FIELD_INT },   { "x", QK_FIELD_DOUBLE },
    { "text", QK_FIELD_TEXT }, { "at", QK_FIELD_TIME }, { "j\"s", QK_FIELD_JSON },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))
static const char *const endings[] = { ".parquet", ".csv", ".jsonl", ".csv.gz", ".ndjson.gz" };

static char folder[256];

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    const char *temp = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof(folder), "%s/stream-XXXXXX", temp ? temp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

/* How many files there are; removes them. */
static int files(void)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    int count = 0;
    while (entries && (entry = readdir(entries))) {
        if (entry->d_name[0] != '.') {
            count++;
            unlink(path_of(entry->d_name));
        }
    }
    closedir(entries);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    files();
    return rmdir(folder);
}

static void good(qk_status rc, const qk_error *err)
{
    if (rc != QK_OK)
        fail_msg("%s", err->message);
}

static void write_some(const char *path)
{
    qk_error err = QK_ERROR_INIT;
    qk_writer *w = NULL;
    good(qk_writer_open(&w, path, fields, FIELDS, NULL, &err), &err);
    good(qk_writer_bool(w, 0, true, &err), &err);
    good(qk_writer_int(w, 1, INT64_MIN, &err), &err);
    good(qk_writer_double(w, 2, 0.1, &err), &err);
    good(qk_writer_text(w, 3, "not this", &err), &err);
    good(qk_writer_text(w, 3, "a,\"b\"\n'c' ä", &err), &err);
    good(qk_writer_time(w, 4, (qk_time){ 1793491200123456 }, &err), &err);
    good(qk_writer_text(w, 5, "{\"k\":[1,null]}", &err), &err);
    good(qk_writer_row(w, &err), &err);
    good(qk_writer_row(w, &err), &err); /* all NULL */
    good(qk_writer_bool(w, 0, false, &err), &err);
    good(qk_writer_int(w, 1, 7, &err), &err);
    good(qk_writer_text(w, 3, "", &err), &err);
    good(qk_writer_row(w, &err), &err);
    good(qk_writer_finish(w, &err), &err);
    qk_writer_close(w);
}

static void test_stream__reads_back_what_was_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        qk_error err = QK_ERROR_INIT;
        qk_stream_options options = QK_STREAM_OPTIONS_INIT;
        qk_reader *r = NULL;
        size_t length = 0;
        char path[512], name[64];
        snprintf(name, sizeof(name), "a[1]*%s", endings[i]); /* a name, no pattern */
        snprintf(path, sizeof(path), "%s", path_of(name));
        write_some(path);
        options.fields = fields;
        options.field_count = FIELDS;
        good(qk_reader_open(&r, path, &options, &err), &err);
        assert_int_equal(qk_reader_field_count(r), FIELDS);
        for (size_t f = 0; f < FIELDS; f++) {
            assert_string_equal(qk_reader_field(r, f).name, fields[f].name);
            assert_int_equal(qk_reader_field(r, f).type, fields[f].type);
        }
        good(qk_reader_next(r, &err), &err);
        assert_true(qk_reader_bool(r, 0));
        assert_true(qk_reader_int(r, 1) == INT64_MIN);
        assert_true(qk_reader_double(r, 2) == 0.1);
        assert_string_equal(qk_reader_text(r, 3, &length), "a,\"b\"\n'c' ä");
        assert_int_equal(length, strlen("a,\"b\"\n'c' ä"));
        assert_true(qk_reader_time(r, 4).us == 1793491200123456);
        assert_string_equal(qk_reader_text(r, 4, NULL), "2026-11-01T00:00:00.123456Z");
        assert_string_equal(qk_reader_text(r, 5, NULL), "{\"k\":[1,null]}");
        good(qk_reader_next(r, &err), &err);
        for (size_t f = 0; f < FIELDS; f++)
            assert_true(qk_reader_is_null(r, f));
        assert_null(qk_reader_text(r, 3, NULL));
        good(qk_reader_next(r, &err), &err);
        assert_false(qk_reader_is_null(r, 0));
        assert_false(qk_reader_bool(r, 0));
        assert_true(qk_reader_double(r, 1) == 7);
        assert_false(qk_reader_is_null(r, 3));
        assert_string_equal(qk_reader_text(r, 3, NULL), "");
        assert_int_equal(qk_reader_next(r, &err), QK_EMPTY);
        assert_int_equal(qk_reader_next(r, &err), QK_EMPTY);
        qk_reader_close(r);
        assert_int_equal(files(), 1);
    }
}

static void test_stream__guesses_types_when_not_told(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_reader *r = NULL;
    FILE *file = fopen(path_of("x.csv"), "w");
    assert_non_null(file);
    fputs("id,name,price,day\n1,Ann,1.5,2026-11-01\n2,,2,2026-11-02\n", file);
    fclose(file);
    good(qk_reader_open(&r, path_of("x.csv"), NULL, &err), &err);
    assert_int_equal(qk_reader_field(r, 0).type, QK_FIELD_INT);
    assert_int_equal(qk_reader_field(r, 1).type, QK_FIELD_TEXT);
    assert_int_equal(qk_reader_field(r, 2).type, QK_FIELD_DOUBLE);
    good(qk_reader_next(r, &err), &err);
    assert_string_equal(qk_reader_text(r, 3, NULL), "2026-11-01");
    good(qk_reader_next(r, &err), &err);
    assert_true(qk_reader_is_null(r, 1));
    qk_reader_close(r);
    files();
}

static void test_stream__leaves_nothing_of_what_was_given_up(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_writer *w = NULL;
    good(qk_writer_open(&w, path_of("gone.parquet"), fields, FIELDS, NULL, &err), &err);
    for (int i = 0; i < 10000; i++) {
        good(qk_writer_int(w, 1, i, &err), &err);
        good(qk_writer_row(w, &err), &err);
    }
    assert_int_not_equal(access(path_of("gone.parquet"), F_OK), 0);
    qk_writer_close(w);
    assert_int_equal(files(), 0);
}

static void test_stream__replaces_only_when_asked(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_stream_options options = QK_STREAM_OPTIONS_INIT;
    qk_writer *w = NULL, *late = NULL;
    const qk_field one = { "n", QK_FIELD_INT };
    good(qk_writer_open(&late, path_of("a.csv"), &one, 1, NULL, &err), &err);
    good(qk_writer_open(&w, path_of("a.csv"), &one, 1, NULL, &err), &err);
    good(qk_writer_finish(w, &err), &err);
    qk_writer_close(w);
    assert_int_equal(qk_writer_finish(late, &err), QK_ECONFLICT);
    qk_writer_close(late);
    assert_int_equal(qk_writer_open(&w, path_of("a.csv"), &one, 1, NULL, &err), QK_ECONFLICT);
    options.replace = true;
    good(qk_writer_open(&w, path_of("a.csv"), &one, 1, &options, &err), &err);
    good(qk_writer_finish(w, &err), &err);
    assert_int_equal(qk_writer_finish(w, &err), QK_ESTATE);
    assert_int_equal(qk_writer_row(w, &err), QK_ESTATE);
    qk_writer_close(w);
    assert_int_equal(files(), 1);
}

static void test_stream__says_what_is_wrong(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_writer *w = NULL;
    qk_reader *r = NULL;
    const qk_field twice[] = { { "a", QK_FIELD_INT }, { "A", QK_FIELD_INT } };
    assert_int_equal(qk_writer_open(&w, path_of("a.txt"), fields, 1, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_writer_open(&w, path_of("a.csv"), fields, 0, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_writer_open(&w, path_of("a.csv"), twice, 2, NULL, &err), QK_EINVAL);
    assert_int_equal(qk_writer_open(&w, path_of("no/a.csv"), fields, 1, NULL, &err), QK_ENOTFOUND);
    assert_int_equal(qk_reader_open(&r, path_of("none.csv"), NULL, &err), QK_ENOTFOUND);
    good(qk_writer_open(&w, path_of("a.jsonl"), fields, FIELDS, NULL, &err), &err);
    assert_int_equal(qk_writer_int(w, 0, 1, &err), QK_EINVAL);
    assert_int_equal(qk_writer_int(w, FIELDS, 1, &err), QK_EINVAL);
    assert_int_equal(qk_writer_double(w, 2, NAN, &err), QK_EINVAL);
    assert_int_equal(qk_writer_text(w, 3, "\xff", &err), QK_EINVAL);
    assert_int_equal(qk_writer_text(w, 5, "{", &err), QK_EINVAL);
    qk_writer_close(w);
    FILE *file = fopen(path_of("bad.csv"), "w");
    assert_non_null(file);
    fputs("n\n1\nmany\n", file);
    fclose(file);
    qk_stream_options options = QK_STREAM_OPTIONS_INIT;
    const qk_field number = { "n", QK_FIELD_INT }, other = { "m", QK_FIELD_INT };
    options.fields = &other;
    options.field_count = 1;
    assert_int_equal(qk_reader_open(&r, path_of("bad.csv"), &options, &err), QK_EINVAL);
    options.fields = &number;
    qk_status rc = qk_reader_open(&r, path_of("bad.csv"), &options, &err);
    for (int i = 0; rc == QK_OK && i < 3; i++)
        rc = qk_reader_next(r, &err);
    assert_int_equal(rc, QK_EINVAL);
    assert_non_null(strstr(err.message, "many"));
    qk_reader_close(rc == QK_OK ? NULL : r);
    files();
}

static void test_stream__tells_of_a_full_disk(void **state)
{
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_writer *w = NULL;
    struct rlimit before, small = { 200000, 0 };
    const qk_field one = { "t", QK_FIELD_TEXT };
    char text[1001];
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    memset(text, 'x', 1000);
    text[1000] = '\0';
    good(qk_writer_open(&w, path_of("big.csv"), &one, 1, NULL, &err), &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    qk_status rc = QK_OK;
    for (int i = 0; rc == QK_OK && i < 100000; i++) {
        good(qk_writer_text(w, 0, text, &err), &err);
        rc = qk_writer_row(w, &err);
    }
    if (rc == QK_OK)
        rc = qk_writer_finish(w, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(rc, QK_EFULL);
    qk_writer_close(w);
    assert_int_equal(files(), 0);
}

static size_t resident(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss << 10;
}

/* Sanitizers keep what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MOST_GROWTH SIZE_MAX
#else
#define MOST_GROWTH ((size_t)64 << 20)
#endif

/* Writes and reads so many rows of about 75 bytes. */
static void pass_rows(int64_t rows)
{
    qk_error err = QK_ERROR_INIT;
    qk_stream_options options = QK_STREAM_OPTIONS_INIT;
    const qk_field two[] = { { "n", QK_FIELD_INT }, { "t", QK_FIELD_TEXT } };
    qk_writer *w = NULL;
    qk_reader *r = NULL;
    char text[80];
    options.memory = (uint64_t)64 << 20;
    good(qk_writer_open(&w, path_of("m.csv"), two, 2, &options, &err), &err);
    for (int64_t i = 0; i < rows; i++) {
        snprintf(text, sizeof(text), "row %064lld", (long long)i);
        good(qk_writer_int(w, 0, i, &err), &err);
        good(qk_writer_text(w, 1, text, &err), &err);
        good(qk_writer_row(w, &err), &err);
    }
    good(qk_writer_finish(w, &err), &err);
    qk_writer_close(w);
    options.fields = two;
    options.field_count = 2;
    good(qk_reader_open(&r, path_of("m.csv"), &options, &err), &err);
    int64_t count = 0, sum = 0;
    qk_status rc;
    while ((rc = qk_reader_next(r, &err)) == QK_OK) {
        count++;
        sum += qk_reader_int(r, 0);
    }
    assert_int_equal(rc, QK_EMPTY);
    assert_true(count == rows && sum == rows * (rows - 1) / 2);
    qk_reader_close(r);
    files();
}

/* A file in memory would show: two million rows are 150 MB. */
static void test_stream__memory_does_not_grow_with_the_file(void **state)
{
    (void)state;
    pass_rows(500000);
    size_t before = resident();
    pass_rows(2500000);
    size_t growth = resident() - before;
    print_message("five times the rows: %zu MB more\n", growth >> 20);
    assert_true(growth < MOST_GROWTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__reads_back_what_was_written),
        cmocka_unit_test(test_stream__guesses_types_when_not_told),
        cmocka_unit_test(test_stream__leaves_nothing_of_what_was_given_up),
        cmocka_unit_test(test_stream__replaces_only_when_asked),
        cmocka_unit_test(test_stream__says_what_is_wrong),
        cmocka_unit_test(test_stream__tells_of_a_full_disk),
        cmocka_unit_test(test_stream__memory_does_not_grow_with_the_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
