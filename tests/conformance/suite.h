/*
 * The conformance suite: what every store must do, whatever lies behind it.
 *
 * A test is written once against the public API (and, where that hides something, against store.h)
 * and is run on every opener of the table in openers.c. Each run gets a fresh store with a clock
 * that only the test moves. Nothing waits by sleeping: a test moves the clock, or waits for an
 * outcome that a broken store would never deliver (the harness's time limit then ends it).
 *
 * Tests use a suite from one thread, except where they start threads themselves; the clock may be
 * moved from any thread.
 */
#ifndef QK_TESTS_CONFORMANCE_SUITE_H
#define QK_TESTS_CONFORMANCE_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <queuack/queuack.h>

#include "store/store.h"

#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
/* 2026-11-01T00:00:00Z */
#define SUITE_EPOCH INT64_C(1793491200000000)

typedef struct suite suite;

/* One way to reach a store. A further store adds a row to the table in openers.c. */
typedef struct suite_opener {
    const char *name;
    bool durable; /* state outlives the handle */
    bool local_sql; /* DuckDB's dialect behind qk_rows_open */
    /* Writes the URL of a store that does not exist yet. */
    void (*url)(char *out, size_t size, const suite *s);
    void (*begin)(suite *s); /* before the handle under test opens; NULL: nothing */
    void (*end)(suite *s); /* after it has closed */
    void (*dispose)(suite *s); /* what a finished test leaves behind; NULL: nothing */
    bool asked; /* only when SUITE_OPENER names it, and for runs: it takes long */
} suite_opener;

struct suite {
    const suite_opener *opener;
    qk_queue *queue;
    void *owner; /* of the opener: other handles on the same store */
    qk_queue_options options;
    qk_clock clock;
    _Atomic int64_t wall_us, mono_us;
    atomic_int warnings; /* log lines of level WARN */
    char url[4096];
    char folder[4096];
    qk_error err; /* of the last call made through a helper */
};

typedef void (*suite_fn)(suite *s);
typedef struct suite_test {
    const char *name;
    suite_fn fn;
} suite_test;
#define SUITE_TEST(fn)                                                                             \
    {                                                                                              \
#fn, fn                                                                                    \
    }

/* Runs all tests on all openers; what main returns. */
int suite_run(const char *group, const suite_test *tests, size_t count);
#define SUITE_MAIN(group, tests)                                                                   \
    int main(void)                                                                                 \
    {                                                                                              \
        return suite_run(group, tests, sizeof(tests) / sizeof(*(tests)));                          \
    }

extern const suite_opener suite_openers[];
extern const size_t suite_opener_count;

/* Opens or fails the test. */
void suite_open(suite *s);
void suite_close(suite *s);
/* Closes and opens again. False where a store does not outlive its handle: nothing was done. */
bool suite_reopen(suite *s);
/* Closes, deletes, opens an empty one with s->options as they now are. */
void suite_fresh(suite *s);

/* Both clocks move on. */
void suite_advance(suite *s, int64_t us);
/* Only the wall clock jumps. */
void suite_jump(suite *s, int64_t us);

/* Fails the test, with the message, unless the call gives this code. */
#define expect(s, code, call)                                                                      \
    do {                                                                                           \
        (s)->err = (qk_error)QK_ERROR_INIT;                                                        \
        qk_status expect_rc = (call);                                                              \
        if (expect_rc != (code))                                                                   \
            fail_msg("%s: %s instead of %s: %s", #call, qk_status_json_code(expect_rc),            \
                     qk_status_json_code(code), (s)->err.message);                                 \
    } while (0)
#define good(s, call) expect(s, QK_OK, call)
/* As expect, and the error must be reported: its code, and one line of text. */
#define refused(s, code, call)                                                                     \
    do {                                                                                           \
        expect(s, code, call);                                                                     \
        suite_check_message(s, code, #call);                                                       \
    } while (0)
void suite_check_message(suite *s, qk_status code, const char *call);

/* Jobs. `options` may be NULL. */
qk_id suite_enqueue(suite *s, const char *kind, const qk_job_options *options);
qk_id suite_enqueue_in(suite *s, const char *queue);
/* A job that retries at once. */
qk_job_options suite_no_backoff(void);
qk_id suite_child(suite *s, qk_dependency_mode mode, const qk_id *parents, size_t count);

/* Claims one of the default queue; NULL when there is none. Free with qk_claims_free. */
qk_claims *suite_claim(suite *s);
qk_claims *suite_claim_from(suite *s, const char *queue);
/* Claims one and fails the test unless it is this job. */
qk_claims *suite_claim_this(suite *s, qk_id id);
/* Claims this job and ends it. */
void suite_finish(suite *s, qk_id id);
void suite_fail(suite *s, qk_id id); /* for good */
void suite_expect_empty(suite *s);

qk_job *suite_get(suite *s, qk_id id);
qk_job_status suite_status(suite *s, qk_id id);
#define expect_status(s, id, status)                                                               \
    assert_string_equal(qk_job_status_name(suite_status(s, id)), qk_job_status_name(status))
void suite_same_id(qk_id a, qk_id b);

/* Number in the first column of the first row of a person's SQL. */
int64_t suite_sql_number(suite *s, const char *sql);
uint64_t suite_count(suite *s, const char *queue, qk_job_status status);

qk_store *suite_store(suite *s);

#endif
