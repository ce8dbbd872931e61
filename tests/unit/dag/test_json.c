/*
 * Definitions as JSON: what comes back is the same, and what is wrong is told by DAG, node and key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dag/graph.h"

static const char full[] =
    "{\"name\":\"nightly\",\"description\":\"All \\\"of\\\" it\",\"metadata\":{\"by\":[1,2.50]},"
    "\"params\":{\"day\":\"2026-11-01\"},\"nodes\":["
    "{\"name\":\"extract\",\"command\":[\"sh\",\"-c\",\"echo \\n\"],\"timeout\":\"none\"},"
    "{\"name\":\"shell\",\"kind\":\"command\",\"payload\":{\"argv\":[\"ls\"],\"cwd\":\"/tmp\"}},"
    "{\"name\":\"clean\",\"sql\":\"SELECT 1\",\"needs\":[\"extract\",\"shell\"],\"mode\":\"any\","
    "\"continue_on_failure\":true,\"queue\":\"q\",\"priority\":7,\"delay_seconds\":0.25,"
    "\"max_attempts\":4,\"max_lost\":2,\"timeout_seconds\":1.000001,\"backoff\":{\"base_seconds\":2,"
    "\"factor\":1.1,\"cap_seconds\":60},\"unique_key\":\"u\",\"tags\":[\"a\",\"b\"],\"strict\":true},"
    "{\"name\":\"big\",\"kind\":\"work\",\"payload\":{\"n\":123456789012345678901234567890,\"x\":0.1},"
    "\"needs\":[\"clean\",\"0191d2c0-0000-7000-8000-000000000001\"],"
    "\"when\":\"clean.rows > 0\",\"execute_after\":\"2026-11-01T02:00:00.500000Z\"},"
    "{\"name\":\"f\",\"factory\":\"make\",\"params\":[1],\"store\":\"far\"},"
    "{\"name\":\"d\",\"dag\":{\"name\":\"inner\",\"nodes\":[{\"name\":\"a/b\",\"kind\":\"work\"}]}},"
    "{\"name\":\"g\",\"dag_from\":\"big\",\"needs\":[\"big\"]},"
    "{\"name\":\"h\",\"file\":\"x.yaml\",\"with\":{\"n\":1}}]}";

static char *there_and_back(const char *text)
{
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    char *out = NULL;
    if (qk_dag_from_json(&dag, text, strlen(text), NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(qk_dag_to_json(&out, dag, &err), QK_OK);
    qk_dag_free(dag);
    return out;
}

static void test_json__comes_back_the_same(void **state)
{
    (void)state;
    char *out = there_and_back(full);
    assert_string_equal(out, full);
    free(out);
    out =
        there_and_back(" { \"nodes\" : [ { \"kind\":\"command\" , \"payload\":{\"argv\":[ \"a\" ]},"
                       "\"queue\":null, \"priority\":50 }, {\"command\":[\"b\"],\"slots\":2} ] ,"
                       " \"name\":\"x\\u0079\" } ");
    assert_string_equal(out,
                        "{\"name\":\"xy\",\"nodes\":[{\"name\":\"job_1\",\"command\":[\"a\"]},"
                        "{\"name\":\"job_2\",\"kind\":\"command\",\"payload\":{\"argv\":[\"b\"],"
                        "\"slots\":2}}]}");
    free(out);
}

typedef struct refused {
    const char *text, *message;
    qk_status code;
} refused;

static void test_json__refuses_by_name(void **state)
{
    (void)state;
#define NODE(inside) "{\"name\":\"d\",\"nodes\":[{\"name\":\"n\"," inside "}]}"
    static const refused rows[] = {
        { "", "not a DAG: not JSON: unexpected end at byte 0", QK_EINVAL },
        { "[]", "not a DAG: expected an object with \"name\" and \"nodes\"", QK_EINVAL },
        { "{}", "not a DAG: it has no \"name\"", QK_EINVAL },
        { "{\"name\":1}", "DAG '(unnamed)': \"name\" must be a string", QK_EINVAL },
        { "{\"name\":\"d\"}", "DAG 'd': \"nodes\" must be there, a list of nodes", QK_EINVAL },
        { "{\"name\":\"d\",\"nodes\":{}}", "DAG 'd': \"nodes\" must be a list of nodes",
          QK_EINVAL },
        { "{\"name\":\"d\",\"node\":[]}", "DAG 'd': unknown key \"node\": did you mean \"nodes\"?",
          QK_EINVAL },
        { "{\"name\":\"d\",\"nodes\":[],\"nodes\":[]}",
          "DAG 'd': \"nodes\" must be there once only", QK_EINVAL },
        { "{\"name\":\"d\",\"nodes\":[],\"params\":[]}", "DAG 'd': \"params\" must be an object",
          QK_EINVAL },
        { "{\"name\":\"d\",\"nodes\":[7]}", "DAG 'd', node '1': must be an object", QK_EINVAL },
        { "{\"name\":\"d\",\"nodes\":[{}]}",
          "DAG 'd', node '1': has no work: give a kind, command, sql, factory, dag, dag_from or "
          "file",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"sql\":\"b\""),
          "DAG 'd', node 'n': has more than one of kind, command, sql, factory, dag, dag_from and "
          "file",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"kind\":\"b\""), "DAG 'd', node 'n': \"kind\" stands there twice",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"prioriti\":1"),
          "DAG 'd', node 'n': unknown key \"prioriti\": did you mean \"priority\"?", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"priority\":1.5"),
          "DAG 'd', node 'n': \"priority\" must be a whole number from 0 to 100", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"priority\":\"1\""),
          "DAG 'd', node 'n': \"priority\" must be a whole number from 0 to 100", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"needs\":\"b\""),
          "DAG 'd', node 'n': \"needs\" must be a list of strings", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"needs\":[1]"), "DAG 'd', node 'n': \"needs\" must be a string",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"needs\":[\"b\"]"),
          "DAG 'd', node 'n': depends on 'b', which is unknown: did you mean 'n'?", QK_EINVAL },
        { NODE("\"kind\":\"a\\u0000b\""),
          "DAG 'd', node 'n': \"kind\" must be a string without \\u0000", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"mode\":\"some\""),
          "DAG 'd', node 'n': \"mode\" must be all, any, all_done, one_failed or none_failed",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"when\":\"1 +\""),
          "DAG 'd', node 'n': when: at byte 3: unexpected character", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"execute_after\":\"2026-02-30T00:00:00Z\""),
          "DAG 'd', node 'n': \"execute_after\" must be a time such as 2026-11-01T02:00:00Z",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"backoff\":{\"base\":1}"),
          "DAG 'd', node 'n': \"backoff\" must be an object with base_seconds, factor and "
          "cap_seconds, all numbers",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"backoff\":{\"factor\":1e999}"),
          "DAG 'd', node 'n': backoff factor: must be a number from 1", QK_EINVAL },
        { NODE("\"kind\":\"a\",\"timeout_seconds\":-1"),
          "DAG 'd', node 'n': \"timeout_seconds\" must be seconds from 0, at most 100 years",
          QK_EINVAL },
        { NODE("\"kind\":\"a\",\"cwd\":\"/\""),
          "DAG 'd', node 'n': \"cwd\", \"env\" and \"slots\" go with \"command\" only", QK_EINVAL },
        { NODE("\"command\":[1]"),
          "DAG 'd', node 'n': payload of a command: must be "
          "{\"argv\":[\"program\",\"argument\"…],…}",
          QK_EINVAL },
        { NODE("\"dag_from\":\"up\""),
          "DAG 'd', node 'n': depends on 'up', which is unknown: add a node of that name or "
          "correct it",
          QK_EINVAL },
        { NODE("\"dag\":{\"nodes\":[{\"name\":\"i\"}]}"),
          "DAG 'n', node 'i': has no work: give a kind, command, sql, factory, dag, dag_from or "
          "file",
          QK_EINVAL },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        qk_dag *dag = NULL;
        qk_error err = QK_ERROR_INIT;
        qk_status rc = qk_dag_from_json(&dag, rows[i].text, strlen(rows[i].text), NULL, &err);
        assert_string_equal(err.message, rows[i].message);
        assert_int_equal(rc, rows[i].code);
        assert_null(dag);
    }
}

static void test_json__commands_can_be_forbidden(void **state)
{
    (void)state;
    static const char *const works[] = {
        "\"command\":[\"rm\"]",
        "\"kind\":\"command\",\"payload\":{\"argv\":[\"rm\"]}",
        "\"sql\":\"DROP\"",
        "\"kind\":\"sql\",\"payload\":{\"sql\":\"DROP\"}",
        "\"file\":\"/etc/x.yaml\"",
        "\"dag\":{\"nodes\":[{\"name\":\"deep\",\"command\":[\"rm\"]}]}",
    };
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    options.forbid_commands = true;
    options.name = "given";
    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
        char text[256];
        qk_dag *dag = NULL;
        qk_error err = QK_ERROR_INIT;
        snprintf(text, sizeof(text), "{\"nodes\":[{\"name\":\"n\",%s}]}", works[i]);
        assert_int_equal(qk_dag_from_json(&dag, text, strlen(text), &options, &err), QK_EREFUSED);
        assert_non_null(strstr(err.message, "are not allowed here"));
    }
}

static void test_json__limits_size_depth_and_number(void **state)
{
    (void)state;
    static const char deep[] =
        "{\"name\":\"a\",\"nodes\":[{\"name\":\"s\",\"dag\":{\"nodes\":[{\"name\":\"t\",\"dag\":"
        "{\"nodes\":[]}}]}}]}";
    static const char two[] = "{\"name\":\"a\",\"nodes\":[{\"kind\":\"w\"},{\"kind\":\"w\"}]}";
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    options.max_depth = 2;
    assert_int_equal(qk_dag_from_json(&dag, deep, strlen(deep), &options, &err), QK_ETOOLARGE);
    assert_string_equal(err.message, "DAG 's', node 't': sub-DAGs nest deeper than 2 levels");
    options.max_depth = 3;
    assert_int_equal(qk_dag_from_json(&dag, deep, strlen(deep), &options, &err), QK_OK);
    qk_dag_free(dag);
    options.max_bytes = 10;
    assert_int_equal(qk_dag_from_json(&dag, deep, strlen(deep), &options, &err), QK_ETOOLARGE);
    options.max_bytes = 0;
    options.dag.max_nodes = 1;
    assert_int_equal(qk_dag_from_json(&dag, two, strlen(two), &options, &err), QK_ETOOLARGE);
    options.version = 2;
    assert_int_equal(qk_dag_from_json(&dag, two, strlen(two), &options, &err), QK_EINVAL);
}

/* Every cut and every changed byte of a good definition: an answer, never a crash. */
static void test_json__survives_damage(void **state)
{
    (void)state;
    char text[sizeof(full)];
    qk_error err = QK_ERROR_INIT;
    size_t refused_count = 0;
    for (size_t at = 0; at + 1 < sizeof(full); at++) {
        static const char puts[] = { '"', '{', ']', '0', '\\', ',', '\0', (char)0xff };
        for (size_t p = 0; p <= sizeof(puts); p++) {
            qk_dag *dag = NULL;
            memcpy(text, full, sizeof(full));
            size_t length = sizeof(full) - 1;
            if (p == sizeof(puts))
                length = at;
            else
                text[at] = puts[p];
            char *exact = malloc(length + 1); /* so that a byte too far is noticed */
            assert_non_null(exact);
            memcpy(exact, text, length);
            char *shrunk = realloc(exact, length ? length : 1);
            refused_count += qk_dag_from_json(&dag, shrunk, length, NULL, &err) != QK_OK;
            qk_dag_free(dag);
            free(shrunk);
        }
    }
    assert_true(refused_count > sizeof(full) * 4);
}

static void test_payload__is_read_back(void **state)
{
    (void)state;
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    assert_int_equal(qk_dag_from_json(&dag, full, strlen(full), NULL, &err), QK_OK);
    static const char *const payloads[] = {
        "{\"argv\":[\"sh\",\"-c\",\"echo \\n\"]}",
        "{\"argv\":[\"ls\"],\"cwd\":\"/tmp\"}",
        "{\"sql\":\"SELECT 1\"}",
        "{\"n\":123456789012345678901234567890,\"x\":0.1}",
        "{\"factory\":\"make\",\"params\":[1],\"store\":\"far\"}",
        "{\"dag\":{\"name\":\"inner\",\"nodes\":[{\"name\":\"a/b\",\"kind\":\"work\"}]}}",
        "{\"dag_from\":\"big\"}",
        "{\"file\":\"x.yaml\",\"with\":{\"n\":1}}",
    };
    static const qk_subdag_source sources[] = { QK_SUBDAG_FACTORY, QK_SUBDAG_IN_PLACE,
                                                QK_SUBDAG_DYNAMIC, QK_SUBDAG_FILE };
    for (size_t i = 0; i < 8; i++) {
        char *payload = NULL;
        qk__subdag_payload read;
        assert_int_equal(qk__dag_payload(&payload, dag, i, &err), QK_OK);
        assert_string_equal(payload, payloads[i]);
        qk_status rc = qk__subdag_payload_parse(&read, payload, strlen(payload), &err);
        assert_int_equal(rc, i < 4 ? QK_EINVAL : QK_OK);
        if (i >= 4)
            assert_int_equal(read.source, sources[i - 4]);
        if (i == 4) {
            assert_string_equal(read.subject, "make");
            assert_string_equal(read.argument, "[1]");
            assert_string_equal(read.store, "far");
        }
        if (i == 5)
            assert_int_equal(read.definition_length, strlen(payload) - 8);
        qk__subdag_payload_dispose(&read);
        free(payload);
    }
    qk_dag_free(dag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json__comes_back_the_same),
        cmocka_unit_test(test_json__refuses_by_name),
        cmocka_unit_test(test_json__commands_can_be_forbidden),
        cmocka_unit_test(test_json__limits_size_depth_and_number),
        cmocka_unit_test(test_json__survives_damage),
        cmocka_unit_test(test_payload__is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
