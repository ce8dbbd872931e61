/*
 * Row "dag": what a definition costs before anything runs.
 *
 * 100,000 nodes with 300,000 edges are built and checked, written as JSON and read back, and run dry;
 * 5,000 nodes with 10,000 edges are drawn in every format. Medians of three.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "measure.h"
#include "scene.h"

#define WIDTH 1000 /* nodes of a level */

/* Each node depends on `edges` of the level before. */
static qk_dag *build(uint32_t count, uint32_t edges)
{
    qk_dag *dag = NULL;
    qk_error err = QK_ERROR_INIT;
    char name[16];
    char parents[4][16];
    const char *after[4] = { parents[0], parents[1], parents[2], parents[3] };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    if (qk_dag_new(&dag, "bench", NULL, &err))
        bench_die("%s", err.message);
    options.after = after;
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "node%u", i);
        options.after_count = i < WIDTH ? 0 : edges;
        for (uint32_t e = 0; e < options.after_count; e++)
            snprintf(parents[e], sizeof(parents[e]), "node%u",
                     i / WIDTH * WIDTH - WIDTH + (i * 7 + e * 331) % WIDTH);
        if (qk_dag_add(dag, name, "work", "{\"n\":1}", &options, &err))
            bench_die("%s", err.message);
    }
    if (qk_dag_validate(dag, &err))
        bench_die("%s", err.message);
    return dag;
}

static double middle(const double three[3])
{
    double low = three[0] < three[1] ? three[0] : three[1];
    double high = three[0] < three[1] ? three[1] : three[0];
    return three[2] < low ? low : three[2] > high ? high : three[2];
}

static void definitions(bench *b, uint32_t count)
{
    double seconds[4][3];
    size_t bytes = 0;
    for (int round = 0; round < 3; round++) {
        qk_error err = QK_ERROR_INIT;
        qk_dag *back = NULL;
        qk_simulation *simulation = NULL;
        char *text = NULL;
        double began = bench_now();
        qk_dag *dag = build(count, 3);
        seconds[0][round] = bench_now() - began;
        began = bench_now();
        if (qk_dag_to_json(&text, dag, &err))
            bench_die("%s", err.message);
        seconds[1][round] = bench_now() - began;
        bytes = strlen(text);
        began = bench_now();
        if (qk_dag_from_json(&back, text, bytes, NULL, &err))
            bench_die("%s", err.message);
        seconds[2][round] = bench_now() - began;
        began = bench_now();
        if (qk_dag_simulate(&simulation, dag, NULL, &err))
            bench_die("%s", err.message);
        seconds[3][round] = bench_now() - began;
        if (simulation->totals[QK_JOB_DONE] != count || qk_dag_node_count(back) != count)
            bench_die("nodes are missing");
        qk_simulation_free(simulation);
        qk_dag_free(back);
        qk_dag_free(dag);
        free(text);
    }
    static const char *const keys[] = { "dag_build_ms", "dag_to_json_ms", "dag_from_json_ms",
                                        "dag_simulate_ms" };
    for (int i = 0; i < 4; i++)
        bench_report(b, keys[i], middle(seconds[i]) * 1e3, "ms", "%u nodes, 3 edges each; %.1f MB",
                     count, (double)bytes / 1e6);
}

static void pictures(bench *b)
{
    static const char *const names[] = { "mermaid", "dot", "json", "svg" };
    qk_dag *dag = build(5000, 2);
    for (int format = QK_PICTURE_MERMAID; format <= QK_PICTURE_SVG; format++) {
        char key[32];
        double seconds[3];
        qk_status rc = QK_OK;
        for (int round = 0; round < 3; round++) {
            char *text = NULL;
            qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
            options.format = (qk_picture_format)format;
            double began = bench_now();
            rc = qk_dag_picture(&text, dag, &options, NULL);
            seconds[round] = bench_now() - began;
            free(text);
        }
        if (rc == QK_EUNSUPPORTED)
            continue;
        if (rc)
            bench_die("the picture failed");
        snprintf(key, sizeof(key), "dag_picture_%s_ms", names[format]);
        bench_report(b, key, middle(seconds) * 1e3, "ms", "5,000 nodes, 2 edges each");
    }
    qk_dag_free(dag);
}

void bench_row_dag(bench *b)
{
    definitions(b, 100000);
    pictures(b);
}
