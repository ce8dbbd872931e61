/*
 * An open database with a reader whose live rows a test sets itself. For the tests of this folder.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/embedded/database.h"
#include "store/embedded/reader.h"
#include "util/clock.h"

typedef struct fixture {
    char path[512];
    duckdb_database database;
    qk__spill spill;
    duckdb_connection connection; /* for the test's own rows */
    qk__reader *reader;
    qk__row_set live; /* its memory belongs to the test */
    int pins, most_pins;
    atomic_int refused;
    void (*in_snapshot)(struct fixture *f); /* called between pin and unpin */
    qk_error err;
} fixture;

static inline void fixture_pin(void *self)
{
    fixture *f = self;
    if (++f->pins > f->most_pins)
        f->most_pins = f->pins;
}

static inline void fixture_unpin(void *self)
{
    ((fixture *)self)->pins--;
}

static inline qk_status fixture_snapshot(void *self, qk__row_set *out, qk_error *err)
{
    fixture *f = self;
    (void)err;
    memset(out, 0, sizeof(*out));
    if (f->live.count) {
        out->rows = malloc(f->live.count * sizeof(*out->rows));
        assert_non_null(out->rows);
        memcpy(out->rows, f->live.rows, f->live.count * sizeof(*out->rows));
        out->count = f->live.count;
    }
    if (f->in_snapshot)
        f->in_snapshot(f);
    return QK_OK;
}

static inline void fixture_refused(void *self)
{
    ((fixture *)self)->refused++;
}

/* A path in the test's own temporary folder. */
static inline const char *temp_path(char out[512], const char *name)
{
    const char *folder = getenv("TMPDIR");
    snprintf(out, 512, "%s/%s-%d.duckdb", folder && *folder ? folder : "/tmp", name, (int)getpid());
    return out;
}

static inline void remove_store(const char *path)
{
    char other[600];
    unlink(path);
    snprintf(other, sizeof(other), "%s.wal", path);
    unlink(other);
}

static inline qk_status open_path(duckdb_database *out, qk__spill *spill, const char *path,
                                  qk_error *err)
{
    qk__store_config config = { .path = path };
    return qk__database_open(out, spill, &config, err);
}

/* Runs statements; the test fails with DuckDB's message if they do. */
static inline void must_run(duckdb_connection connection, const char *sql)
{
    qk_error err = QK_ERROR_INIT;
    if (qk__database_run(connection, sql, &err) != QK_OK)
        fail_msg("%s: %s", sql, err.message);
}

static inline void fixture_attach(fixture *f)
{
    qk__reader_host host = { f, fixture_pin, fixture_unpin, fixture_snapshot, fixture_refused, 0 };
    qk_clock clock = qk__clock_system();
    assert_int_equal(duckdb_connect(f->database, &f->connection), DuckDBSuccess);
    assert_int_equal(qk__reader_open(&f->reader, f->database, &host, &clock, NULL, &f->err), QK_OK);
}

/* NULL: in memory. */
static inline void fixture_open(fixture *f, const char *name)
{
    memset(f, 0, sizeof(*f));
    if (name) {
        temp_path(f->path, name);
        remove_store(f->path);
    } else {
        snprintf(f->path, sizeof(f->path), ":memory:");
    }
    if (open_path(&f->database, &f->spill, f->path, &f->err) != QK_OK)
        fail_msg("%s", f->err.message);
    fixture_attach(f);
}

static inline void fixture_close(fixture *f)
{
    qk__reader_close(f->reader);
    duckdb_disconnect(&f->connection);
    qk__database_close(&f->database, &f->spill);
    if (f->path[0] != ':')
        remove_store(f->path);
}

/* All rows as text: values parted by '|', rows by newline; NULL for SQL NULL. free() it. */
static inline char *rows_as_text(qk_rows *rows)
{
    size_t size = 1 << 20, used = 0;
    char *text = malloc(size);
    qk_error err = QK_ERROR_INIT;
    qk_status rc;
    assert_non_null(text);
    text[0] = '\0';
    while ((rc = rows->ops->next(rows, &err)) == QK_OK) {
        size_t columns = rows->ops->column_count(rows);
        for (size_t i = 0; i < columns; i++) {
            const char *value = rows->ops->text(rows, i);
            used += (size_t)snprintf(text + used, size - used, "%s%s", value ? value : "NULL",
                                     i + 1 < columns ? "|" : "\n");
            assert_true(used < size);
        }
    }
    assert_int_equal(rc, QK_EMPTY);
    return text;
}

/* The result of a person's query through the live views. */
static inline char *ask(fixture *f, const char *sql)
{
    qk_rows *rows = NULL;
    if (qk__reader_rows(f->reader, &rows, sql, 30000000, &f->err) != QK_OK)
        fail_msg("%s: %s", sql, f->err.message);
    char *text = rows_as_text(rows);
    rows->ops->close(rows);
    return text;
}

static inline void assert_answer(fixture *f, const char *sql, const char *expected)
{
    char *text = ask(f, sql);
    assert_string_equal(text, expected);
    free(text);
}

#endif
