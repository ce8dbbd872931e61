/*
 * Each allocation of a call fails once: the call says QK_ENOMEM, leaks nothing, and has changed
 * nothing. This program's own malloc stands before libc's and counts what is alive. Under a
 * sanitizer, which brings its own, it skips.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dag/graph.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_FAIL 0
#endif
#endif
#ifndef CAN_FAIL
#define CAN_FAIL 1
#endif

static long fail_at; /* the n-th allocation from now fails; 0: none */
static bool has_failed;
static long alive;

#if CAN_FAIL
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *memory);

static bool must_fail(void)
{
    if (fail_at == 0 || --fail_at > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *memory)
{
    alive += memory != NULL;
    return memory;
}

void *malloc(size_t size)
{
    return must_fail() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    if (must_fail())
        return NULL;
    void *memory = __libc_realloc(old, size);
    alive += !old && memory;
    return memory;
}

void free(void *memory)
{
    alive -= memory != NULL;
    __libc_free(memory);
}
#endif

static const char definition[] =
    "{\"name\":\"nightly\",\"description\":\"d\",\"params\":{\"day\":1},\"nodes\":["
    "{\"name\":\"extract\",\"command\":[\"sh\",\"-c\",\"x\"],\"tags\":[\"a\"],\"queue\":\"q\"},"
    "{\"name\":\"clean\",\"sql\":\"SELECT 1\",\"needs\":[\"extract\"],\"unique_key\":\"u\"},"
    "{\"kind\":\"work\",\"payload\":{\"n\":[1,2]},\"needs\":[\"clean\","
    "\"0191d2c0-0000-7000-8000-000000000001\"],\"when\":\"upper(clean.rows) in [clean, 'a'] or "
    "tasks['clean']['x\\\"'] == clean.y\"},"
    "{\"name\":\"f\",\"factory\":\"make\",\"params\":[1],\"store\":\"far\"},"
    "{\"name\":\"d\",\"dag\":{\"name\":\"inner\",\"nodes\":[{\"name\":\"a/b\",\"kind\":\"work\"},"
    "{\"kind\":\"work\"},{\"kind\":\"work\"}]}},"
    "{\"name\":\"g\",\"dag_from\":\"clean\"},{\"name\":\"h\",\"file\":\"x.yaml\",\"with\":{\"n\":1}}]}";

typedef qk_status (*scenario)(void *user, qk_error *err);

static qk_status parse(void *user, qk_error *err)
{
    qk_dag *dag = NULL;
    (void)user;
    qk_status rc = qk_dag_from_json(&dag, definition, strlen(definition), NULL, err);
    assert_true(!rc == (dag != NULL));
    qk_dag_free(dag);
    return rc;
}

static qk_status write_json(void *user, qk_error *err)
{
    char *text = NULL;
    qk_status rc = qk_dag_to_json(&text, user, err);
    free(text);
    text = NULL;
    if (!rc)
        rc = qk__dag_payload(&text, user, 4, err);
    free(text);
    return rc;
}

static qk_status look_around(void *user, qk_error *err)
{
    qk_levels *levels = NULL;
    qk_names *names = NULL;
    qk_status rc = qk_dag_levels(&levels, user, err);
    qk_levels_free(levels);
    if (!rc)
        rc = qk_dag_critical_path(&names, NULL, user, NULL, err);
    qk_names_free(names);
    names = NULL;
    if (!rc)
        rc = qk_dag_descendants(&names, user, "extract", err);
    qk_names_free(names);
    return rc;
}

static qk_status simulate(void *user, qk_error *err)
{
    static const char *const failing[] = { "d/a/b" };
    qk_simulate_options options = QK_SIMULATE_OPTIONS_INIT;
    qk_simulation *simulation = NULL;
    options.failing = failing;
    options.failing_count = 1;
    options.results = "{\"clean\":{\"rows\":\"\\u0041\",\"y\":[1]}}";
    qk_status rc = qk_dag_simulate(&simulation, user, &options, err);
    qk_simulation_free(simulation);
    return rc;
}

static void look(void *user, qk_node_look *out, const char *path)
{
    (void)user;
    out->note = path;
}

static qk_status draw(void *user, qk_error *err)
{
    qk_status rc = QK_OK;
    for (int format = QK_PICTURE_MERMAID; !rc && format < QK_PICTURE_SVG; format++) {
        char *text = NULL;
        qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
        options.format = (qk_picture_format)format;
        options.fold_fan_out = 2;
        options.look = look;
        rc = qk_dag_picture(&text, user, &options, err);
        free(text);
    }
    return rc;
}

/* Fails each allocation of the scenario in turn; returns how many there were. */
static long exhaust(scenario run, void *user)
{
    for (long n = 1;; n++) {
        qk_error err = QK_ERROR_INIT;
        long before = alive;
        has_failed = false;
        fail_at = n;
        qk_status rc = run(user, &err);
        fail_at = 0;
        if (alive != before)
            fail_msg("allocation %ld: %ld leaked", n, alive - before);
        if (!has_failed) {
            assert_int_equal(rc, QK_OK);
            return n - 1;
        }
        if (rc != QK_ENOMEM || !strstr(err.message, "out of memory"))
            fail_msg("allocation %ld: %d %s", n, (int)rc, err.message);
    }
}

static qk_dag *sample(void)
{
    qk_dag *dag = NULL;
    assert_int_equal(qk_dag_from_json(&dag, definition, strlen(definition), NULL, NULL), QK_OK);
    return dag;
}

static void test_calls__survive_each_failed_allocation(void **state)
{
    (void)state;
    if (!CAN_FAIL)
        skip();
    qk_dag *dag = sample();
    assert_true(exhaust(parse, NULL) > 40);
    assert_true(exhaust(write_json, dag) > 5);
    assert_true(exhaust(look_around, dag) > 4);
    assert_true(exhaust(simulate, dag) > 10);
    assert_true(exhaust(draw, dag) > 30);
    qk_dag_free(dag);
}

/* A failed call leaves the DAG as it was: its JSON shows it. */
static void test_add__changes_nothing_when_it_fails(void **state)
{
    (void)state;
    static const char *const after[] = { "clean", "0191d2c0-0000-7000-8000-000000000002" };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    char *before = NULL;
    if (!CAN_FAIL)
        skip();
    options.after = after;
    options.after_count = 2;
    options.when = "clean.rows > 1";
    qk_dag *dag = sample();
    assert_int_equal(qk_dag_to_json(&before, dag, NULL), QK_OK);
    qk_status rc = QK_ENOMEM;
    for (long n = 1; rc; n++) {
        char *now = NULL;
        qk_error err = QK_ERROR_INIT;
        fail_at = n;
        rc = qk_dag_add(dag, "more", "work", "[1]", &options, &err);
        fail_at = 0;
        assert_int_equal(qk_dag_to_json(&now, dag, NULL), QK_OK);
        assert_int_equal(strcmp(before, now) != 0, rc == QK_OK);
        assert_true(rc == QK_OK || rc == QK_ENOMEM);
        free(now);
    }
    free(before);
    qk_dag_free(dag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls__survive_each_failed_allocation),
        cmocka_unit_test(test_add__changes_nothing_when_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
