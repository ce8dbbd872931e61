/*
 * Pictures: each format is read back by a parser of its own (Mermaid by a strict reader, DOT by
 * graphviz where it is installed, JSON by jansson), with names that try to break out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "dag/graph.h"
#include "dag/theme.h"
#include "mermaid_check.h"

static const char *const hostile[] = {
    "end",
    "a\"b",
    "<script>alert(1)</script>",
    "x --> y",
    "%%{init: {}}%%",
    "`**bold**`",
    "a\\nb\\",
    "#quot; & &amp; #35;",
    "style fill:#fff;",
    "classDef a fill:#fff;",
    "]])}}\"]",
    "n1",
    "{{x|y}}",
    "$$x^2$$",
    "h\xc3\xa9llo \xe2\x86\x92 \xf0\x9f\x98\x80",
    "; drop",
    "subgraph z",
    "\\N\\G",
    "'quote'",
    " ",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void add(qk_dag *dag, const char *name, const char *a, const char *b)
{
    const char *after[] = { a, b };
    qk_error err = QK_ERROR_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    options.after = after;
    options.after_count = a ? (b ? 2 : 1) : 0;
    if (qk_dag_add(dag, name, "work", NULL, &options, &err))
        fail_msg("%s", err.message);
}

/* A chain of hostile names, a sub-DAG with the same names inside, one of each type. */
static qk_dag *hostile_dag(void)
{
    static const char *const argv[] = { "ls", NULL };
    qk_dag *dag = NULL;
    qk_dag *child = NULL;
    qk_id outside = qk_id_new();
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    const char *after[] = { hostile[0] };
    assert_int_equal(qk_dag_new(&dag, "\"}]; <b>", NULL, NULL), QK_OK);
    assert_int_equal(qk_dag_new(&child, "\"inner", NULL, NULL), QK_OK);
    for (size_t i = 0; i < HOSTILE; i++) {
        add(dag, hostile[i], i ? hostile[i - 1] : NULL, NULL);
        add(child, hostile[i], i ? hostile[i - 1] : NULL, NULL);
    }
    options.after = after;
    options.after_count = 1;
    options.when = "status('end') == 'done'";
    assert_int_equal(qk_dag_add_dag_take(dag, "sub]\"", child, &options, NULL), QK_OK);
    job.needs = &outside;
    job.needs_count = 1;
    job.mode = QK_MODE_ANY;
    options.job = &job;
    assert_int_equal(qk_dag_add_command(dag, "command", argv, &options, NULL), QK_OK);
    assert_int_equal(qk_dag_add_sql(dag, "sql", "SELECT 1", &options, NULL), QK_OK);
    assert_int_equal(qk_dag_add_factory(dag, "factory", "make", NULL, &options, NULL), QK_OK);
    add(dag, "last", "sub]\"", "sql");
    return dag;
}

static char *draw(qk_dag *dag, const qk_picture_options *options)
{
    char *text = NULL;
    qk_error err = QK_ERROR_INIT;
    if (qk_dag_picture(&text, dag, options, &err))
        fail_msg("%s", err.message);
    return text;
}

static void look(void *user, qk_node_look *out, const char *path)
{
    (void)user;
    out->has_status = true;
    out->status = (qk_job_status)(strlen(path) % QK_JOB_STATUS_COUNT);
    out->note = "3.5 s \"quick\"";
}

static void test_mermaid__holds_any_name_in_any_theme(void **state)
{
    (void)state;
    qk_dag *dag = hostile_dag();
    for (int theme = 0; theme < QK_THEME_COUNT * 2; theme++) {
        mermaid_counts counts;
        qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
        options.theme = (qk_theme)(theme / 2);
        options.look = theme % 2 ? look : NULL;
        char *text = draw(dag, &options);
        const char *problem = mermaid_check(&counts, text);
        if (problem)
            fail_msg("%s", problem);
        assert_int_equal(counts.nodes, HOSTILE * 2 + 4 + 3);
        assert_int_equal(counts.subgraphs, 1);
        assert_int_equal(counts.edges, (HOSTILE - 1) * 2 + 4 + 3 + 2);
        assert_int_equal(counts.classes, QK_JOB_STATUS_COUNT + QK_NODE_TYPE_COUNT + 3);
        free(text);
    }
    qk_dag_free(dag);
}

static void test_mermaid__nests_subgraphs_and_can_stop(void **state)
{
    (void)state;
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    mermaid_counts counts;
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    assert_int_equal(qk_dag_new(&dag, "level", NULL, NULL), QK_OK);
    add(dag, "deepest", NULL, NULL);
    for (int level = 0; level < 10; level++) {
        qk_dag *outer = NULL;
        assert_int_equal(qk_dag_new(&outer, "level", NULL, NULL), QK_OK);
        add(outer, "before", NULL, NULL);
        assert_int_equal(qk_dag_add_dag_take(outer, "sub", dag, NULL, &err), QK_OK);
        dag = outer;
    }
    char *text = draw(dag, &options);
    assert_null(mermaid_check(&counts, text));
    assert_int_equal(counts.deepest, 10);
    assert_int_equal(counts.nodes, 11);
    free(text);
    options.max_depth = 3;
    text = draw(dag, &options);
    assert_null(mermaid_check(&counts, text));
    assert_int_equal(counts.deepest, 2);
    assert_int_equal(counts.nodes, 4);
    assert_non_null(strstr(text, "15 nodes"));
    free(text);
    qk_dag_free(dag);
}

static void test_fold__wide_fan_outs_become_one(void **state)
{
    (void)state;
    qk_dag *dag = NULL;
    char name[32];
    mermaid_counts counts;
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    assert_int_equal(qk_dag_new(&dag, "wide", NULL, NULL), QK_OK);
    add(dag, "start", NULL, NULL);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "item %d", i);
        add(dag, name, "start", NULL);
    }
    add(dag, "other", "start", NULL);
    add(dag, "after other", "other", NULL);
    options.fold_fan_out = 101;
    char *text = draw(dag, &options);
    assert_null(mermaid_check(&counts, text));
    assert_int_equal(counts.nodes, 103);
    free(text);
    options.fold_fan_out = 100;
    text = draw(dag, &options);
    assert_null(mermaid_check(&counts, text));
    assert_int_equal(counts.nodes, 4);
    assert_int_equal(counts.edges, 3);
    assert_non_null(strstr(text, "item 0<br/>and 99 more like it"));
    free(text);
    qk_dag_free(dag);
}

static void test_dot__is_read_by_graphviz(void **state)
{
    (void)state;
    if (system("command -v dot >/dev/null 2>&1") != 0)
        skip();
    char path[512];
    char command[600];
    qk_dag *dag = hostile_dag();
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    options.format = QK_PICTURE_DOT;
    char *text = draw(dag, &options);
    const char *dir = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/picture.dot", dir ? dir : "/tmp");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof(command), "dot -Tplain '%s' 2>&1", path);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    char line[2000];
    size_t nodes = 0, edges = 0;
    while (fgets(line, sizeof(line), out)) {
        nodes += strncmp(line, "node ", 5) == 0;
        edges += strncmp(line, "edge ", 5) == 0;
        if (strstr(line, "rror") || strstr(line, "arning"))
            fail_msg("%s", line);
    }
    assert_int_equal(pclose(out), 0);
    assert_int_equal(nodes, HOSTILE * 2 + 4 + 3);
    assert_int_equal(edges, (HOSTILE - 1) * 2 + 4 + 3 + 2);
    free(text);
    qk_dag_free(dag);
    remove(path);
}

static void test_json__has_items_and_edges(void **state)
{
    (void)state;
    qk_dag *dag = hostile_dag();
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    options.format = QK_PICTURE_JSON;
    options.look = look;
    char *text = draw(dag, &options);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_t *nodes = json_object_get(root, "nodes");
    assert_int_equal(json_array_size(nodes), HOSTILE * 2 + 5 + 3);
    for (size_t i = 0; i < HOSTILE; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(nodes, i), "name")),
                            hostile[i]);
    assert_int_equal(json_array_size(json_object_get(root, "edges")), (HOSTILE - 1) * 2 + 9);
    json_decref(root);
    free(text);
    qk_dag_free(dag);
}

static void test_svg__is_drawn_or_said_to_be_left_out(void **state)
{
    (void)state;
    qk_dag *dag = hostile_dag();
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    qk_error err = QK_ERROR_INIT;
    char *text = NULL;
    options.format = QK_PICTURE_SVG;
    qk_status rc = qk_dag_picture(&text, dag, &options, &err);
    if (rc == QK_EUNSUPPORTED) {
        assert_non_null(strstr(err.message, "no graphviz"));
    } else {
        assert_int_equal(rc, QK_OK);
        assert_non_null(strstr(text, "</svg>"));
        assert_null(strstr(text, "<script"));
        assert_non_null(strstr(text, "&lt;script&gt;"));
    }
    free(text);
    qk_dag_free(dag);
}

/* Levels of 100, each node with up to three parents in the level before. */
static qk_dag *large_dag(int count)
{
    qk_dag *dag = NULL;
    char name[32], a[32], b[32];
    assert_int_equal(qk_dag_new(&dag, "large", NULL, NULL), QK_OK);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "node %d", i);
        snprintf(a, sizeof(a), "node %d", i - 100);
        snprintf(b, sizeof(b), "node %d", i / 100 * 100 - 100 + i * 7 % 100);
        add(dag, name, i >= 100 ? a : NULL, i >= 100 ? b : NULL);
    }
    return dag;
}

static void test_large__every_format_copes(void **state)
{
    (void)state;
    qk_dag *dag = large_dag(2000);
    for (int format = QK_PICTURE_MERMAID; format <= QK_PICTURE_SVG; format++) {
        qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
        char *text = NULL;
        struct timespec from, to;
        options.format = (qk_picture_format)format;
        clock_gettime(CLOCK_MONOTONIC, &from);
        qk_status rc = qk_dag_picture(&text, dag, &options, NULL);
        clock_gettime(CLOCK_MONOTONIC, &to);
        print_message("format %d: %.3f s, %zu bytes\n", format,
                      (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
                      text ? strlen(text) : 0);
        if (format == QK_PICTURE_SVG && rc == QK_EUNSUPPORTED)
            continue;
        assert_int_equal(rc, QK_OK);
        size_t shown = 0;
        for (const char *at = text; (at = strstr(at, "node 19")); at++)
            shown++;
        assert_true(shown >= 100);
        free(text);
    }
    qk_dag_free(dag);
}

static void test_options__are_checked(void **state)
{
    (void)state;
    char *text = NULL;
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    qk_colours colours[] = { { "done", "#0f0", NULL, "#123456" } };
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    assert_int_equal(qk_dag_new(&dag, "d", NULL, NULL), QK_OK);
    options.colours = colours;
    options.colour_count = 1;
    text = draw(dag, &options);
    assert_non_null(strstr(text, "classDef done fill:#00ff00,stroke:#388e3c,color:#123456\n"));
    free(text);
    colours[0].fill = "red;}";
    assert_int_equal(qk_dag_picture(&text, dag, &options, &err), QK_EINVAL);
    assert_string_equal(err.message, "colours of 'done': 'red;}' is neither #rgb nor #rrggbb");
    colours[0].name = "doen";
    assert_int_equal(qk_dag_picture(&text, dag, &options, &err), QK_EINVAL);
    assert_string_equal(err.message, "colours: there is no class 'doen': did you mean 'done'?");
    options.colour_count = 0;
    options.theme = (qk_theme)99;
    assert_int_equal(qk_dag_picture(&text, dag, &options, &err), QK_EINVAL);
    qk_dag_free(dag);
}

static double channel(const char *two)
{
    char text[3] = { two[0], two[1], '\0' };
    double c = (double)strtol(text, NULL, 16) / 255.0;
    return c * c; /* near enough to the sRGB curve for a limit */
}

static double luminance(const char *colour)
{
    return 0.2126 * channel(colour + 1) + 0.7152 * channel(colour + 3) +
           0.0722 * channel(colour + 5);
}

static void test_themes__can_be_read(void **state)
{
    (void)state;
    for (int theme = 0; theme < QK_THEME_COUNT; theme++) {
        qk__palette palette;
        qk_theme parsed = QK_THEME_COUNT;
        assert_int_equal(qk_theme_parse(&parsed, qk_theme_name((qk_theme)theme)), QK_OK);
        assert_int_equal(parsed, theme);
        assert_int_equal(qk__palette_init(&palette, (qk_theme)theme, NULL, 0, NULL), QK_OK);
        for (int i = 0; i < QK__CLASS_COUNT; i++) {
            double fill = luminance(palette.of[i].fill) + 0.05;
            double text = luminance(palette.of[i].text) + 0.05;
            double contrast = fill > text ? fill / text : text / fill;
            if (contrast < 4.5)
                fail_msg("%s, %s: contrast %.1f", qk_theme_name((qk_theme)theme),
                         qk__class_name((qk__class)i), contrast);
        }
    }
    assert_null(qk_theme_name(QK_THEME_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mermaid__holds_any_name_in_any_theme),
        cmocka_unit_test(test_mermaid__nests_subgraphs_and_can_stop),
        cmocka_unit_test(test_fold__wide_fan_outs_become_one),
        cmocka_unit_test(test_dot__is_read_by_graphviz),
        cmocka_unit_test(test_json__has_items_and_edges),
        cmocka_unit_test(test_svg__is_drawn_or_said_to_be_left_out),
        cmocka_unit_test(test_large__every_format_copes),
        cmocka_unit_test(test_options__are_checked),
        cmocka_unit_test(test_themes__can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
