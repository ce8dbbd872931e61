/*
 * The public face of the dry run: options in, a flat list of nodes out. The list and its strings
 * belong to one arena, behind the struct that the caller sees.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "dag/simulate.h"
#include "queue/validate.h"
#include "util/error.h"

#define PATH_MAX_BYTES ((size_t)QK_DAG_NESTING_MAX * (QK_NAME_MAX + 1))

typedef struct result {
    qk_simulation shown; /* first: the caller frees through it */
    qk__arena arena;
    qk_simulated *next;
} result;

/* Finds "outer/inner"; names may hold slashes themselves. */
static bool find_path(qk__given_node *out, const qk_dag *dag, const char *path)
{
    size_t index = qk_dag_find(dag, path);
    if (index != QK_NO_NODE) {
        out->dag = dag;
        out->index = index;
        return true;
    }
    for (const char *slash = strchr(path, '/'); slash && dag->depth > 1;
         slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - path);
        index = qk__names_find(dag, path, length, qk__hash(&dag->hash_key, path, length));
        if (index != SIZE_MAX && dag->nodes[index].child &&
            find_path(out, dag->nodes[index].child, slash + 1))
            return true;
    }
    return false;
}

static qk_status resolve(qk__given *given, const qk_dag *dag, const char *const *paths,
                         size_t count, bool failing, qk_error *err)
{
    char advice[QK__SUGGEST_SIZE];
    for (size_t i = 0; i < count; i++) {
        qk__given_node *item = &given->items[given->count];
        item->failing = failing;
        if (!paths[i] || strnlen(paths[i], PATH_MAX_BYTES) == PATH_MAX_BYTES)
            return qk__dag_error(err, QK_EINVAL, dag, NULL,
                                 "simulate: name %zu is missing or too long", i);
        if (!find_path(item, dag, paths[i]))
            return qk__dag_error(err, QK_ENOTFOUND, dag, paths[i], "does not exist: %s",
                                 qk__names_suggest(advice, dag, paths[i]));
        given->count++;
    }
    return QK_OK;
}

static qk_status read_given(qk__given *given, qk_dag *dag, const qk_simulate_options *options,
                            qk_error *err)
{
    qk_status rc =
        qk__check_version("simulate options", "QK_SIMULATE_OPTIONS_INIT", options->version, err);
    if (!rc && options->results) {
        size_t length = strlen(options->results);
        rc = qk__check_json("results", options->results, length, QK__DAG_TEXT_MAX, err);
        if (!rc)
            given->results = qk__json_whole(options->results, length);
        if (!rc && *given->results.at != '{')
            rc = qk__error(err, QK_EINVAL, "results: must be a JSON object");
    }
    if (rc)
        return rc;
    given->top = dag;
    given->items =
        calloc(options->failing_count + options->untrue_count + 1, sizeof(*given->items));
    if (!given->items)
        return qk__error(err, QK_ENOMEM, "out of memory");
    rc = resolve(given, dag, options->failing, options->failing_count, true, err);
    return rc ? rc : resolve(given, dag, options->untrue, options->untrue_count, false, err);
}

/* The pieces as one text in the arena. */
static const char *join(qk__arena *arena, const char *a, const char *b, const char *c)
{
    size_t lengths[3] = { strlen(a), strlen(b), strlen(c) };
    char *text = qk__arena_take(arena, lengths[0] + lengths[1] + lengths[2] + 1);
    if (text) {
        memcpy(text, a, lengths[0]);
        memcpy(text + lengths[0], b, lengths[1]);
        memcpy(text + lengths[0] + lengths[1], c, lengths[2] + 1);
    }
    return text;
}

static size_t count_nodes(const qk__scene *scene)
{
    size_t count = scene->dag->count;
    for (size_t i = 0; scene->children && i < scene->dag->count; i++)
        count += scene->children[i] ? count_nodes(scene->children[i]) : 0;
    return count;
}

static const char *reason_of(result *out, const qk__scene *scene, const char *prefix,
                             const qk__scene_node *node)
{
    if (node->cause == QK__NO_CAUSE)
        return "condition";
    return join(&out->arena, "parent_failed:", prefix, scene->dag->nodes[node->cause].name);
}

static bool emit(result *out, const qk__scene *scene, const char *prefix)
{
    for (size_t i = 0; i < scene->dag->count; i++) {
        const qk__scene_node *node = &scene->nodes[i];
        qk_simulated *shown = out->next++;
        bool skipped = node->status == QK_JOB_SKIPPED;
        shown->node = join(&out->arena, prefix, scene->dag->nodes[i].name, "");
        shown->status = (qk_job_status)node->status;
        shown->skip_reason = skipped ? reason_of(out, scene, prefix, node) : NULL;
        shown->level = scene->dag->graph.level[i];
        out->shown.totals[node->status]++;
        if (!shown->node || (skipped && !shown->skip_reason))
            return false;
        if (scene->children && scene->children[i]) {
            const char *inner = join(&out->arena, shown->node, "/", "");
            if (!inner || !emit(out, scene->children[i], inner))
                return false;
        }
    }
    return true;
}

static qk_status publish(qk_simulation **out, const qk__scene *scene, qk_error *err)
{
    result *made = calloc(1, sizeof(*made));
    size_t count = count_nodes(scene);
    if (made)
        made->next = qk__arena_take(&made->arena, (count + 1) * sizeof(*made->next));
    if (made && made->next) {
        made->shown.failed = scene->failed;
        made->shown.count = count;
        made->shown.nodes = made->next;
        if (emit(made, scene, "")) {
            *out = &made->shown;
            return QK_OK;
        }
    }
    qk_simulation_free(made ? &made->shown : NULL);
    return qk__error(err, QK_ENOMEM, "out of memory");
}

qk_status qk_dag_simulate(qk_simulation **out, qk_dag *dag, const qk_simulate_options *options,
                          qk_error *err)
{
    static const qk_simulate_options defaults = QK_SIMULATE_OPTIONS_INIT;
    qk__given given = { 0 };
    qk__scene *scene = NULL;
    *out = NULL;
    qk_status rc = qk__dag_prepare(dag, err);
    if (!rc)
        rc = read_given(&given, dag, options ? options : &defaults, err);
    if (rc)
        goto out;
    rc = qk__scene_new(&scene, &given, dag);
    if (!rc)
        rc = qk__scene_run(scene);
    rc = rc ? qk__error(err, rc, "out of memory") : publish(out, scene, err);
out:
    qk__scene_free(scene);
    free(given.items);
    return rc;
}

void qk_simulation_free(qk_simulation *simulation)
{
    result *made = (result *)simulation;
    if (!made)
        return;
    qk__arena_dispose(&made->arena);
    free(made);
}
