/*
 * runs graph RUN: a picture of a run, its nodes as they stand, sub-DAGs inside their nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "picture_args.h"
#include "run_args.h"

struct drawn {
    char *path; /* "outer/inner" */
    qk_job_status status;
    qk_dag *expanded;
};

struct scene {
    cli *cli;
    struct drawn *items;
    size_t count, capacity;
    qk_status rc;
};

static bool add(struct scene *scene, const char *prefix, const qk_job *job)
{
    if (scene->count == scene->capacity) {
        size_t capacity = scene->capacity * 2 + 64;
        struct drawn *grown = realloc(scene->items, capacity * sizeof(*grown));
        if (!grown)
            return false;
        scene->items = grown;
        scene->capacity = capacity;
    }
    size_t size = strlen(prefix) + strlen(job->node_name) + 2;
    char *path = malloc(size);
    if (!path)
        return false;
    snprintf(path, size, "%s%s%s", prefix, *prefix ? "/" : "", job->node_name);
    scene->items[scene->count++] = (struct drawn){ path, job->status, NULL };
    return true;
}

static qk_status read_dag(cli *cli, qk_dag **out, qk_id run)
{
    qk_run *found = NULL;
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    qk_status rc = qk_run_get(&found, cli->queue, run, &cli->err);
    if (!rc && !found->definition)
        rc = cli_error(&cli->err, QK_ENOTFOUND, "the run has no definition: it cannot be drawn");
    if (!rc) {
        options.name = found->name;
        options.dag.validate = false;
        rc = qk_dag_from_json(out, found->definition, strlen(found->definition), &options,
                              &cli->err);
    }
    qk_run_free(found);
    return rc;
}

static qk_status gather(struct scene *scene, qk_id run, const char *prefix)
{
    qk_job_list *jobs = NULL;
    qk_status rc = qk_run_jobs(&jobs, scene->cli->queue, run, 0, &scene->cli->err);
    for (size_t i = 0; !rc && i < jobs->count; i++) {
        if (jobs->items[i].node_name && !add(scene, prefix, &jobs->items[i]))
            rc = cli_error(&scene->cli->err, QK_ENOMEM, "out of memory for the picture");
    }
    qk_job_list_free(jobs);
    return rc;
}

/* "outer/node"; NULL with *rc set, or if the job is no node. */
static char *path_below(struct scene *scene, const char *outer, qk_id parent_job, qk_status *rc)
{
    qk_job *node = NULL;
    char *path = NULL;
    *rc = qk_job_get(&node, scene->cli->queue, parent_job, &scene->cli->err);
    if (!*rc && node->node_name) {
        size_t size = strlen(outer) + strlen(node->node_name) + 2;
        path = malloc(size);
        if (path)
            snprintf(path, size, "%s%s%s", outer, *outer ? "/" : "", node->node_name);
        else
            *rc = cli_error(&scene->cli->err, QK_ENOMEM, "out of memory for the picture");
    }
    qk_job_free(node);
    return path;
}

static qk_status open_node(struct scene *scene, const char *path, qk_id run)
{
    qk_status rc = QK_OK;
    for (size_t k = 0; !rc && k < scene->count; k++) {
        if (strcmp(scene->items[k].path, path) == 0)
            rc = read_dag(scene->cli, &scene->items[k].expanded, run);
    }
    return rc;
}

/* The path of the node whose run it is, from that of the run around it. */
static qk_status gather_below(struct scene *scene, const qk_run_tree *tree)
{
    char **paths = calloc(tree->count + 1, sizeof(*paths));
    qk_status rc = paths ? QK_OK : cli_error(&scene->cli->err, QK_ENOMEM, "out of memory");
    for (size_t i = 0; !rc && i < tree->count; i++) {
        const qk_run_tree_item *item = &tree->items[i];
        const char *outer = i > 0 && paths[item->parent] ? paths[item->parent] : "";
        if (i > 0)
            paths[i] = path_below(scene, outer, item->parent_job, &rc);
        if (!rc)
            rc = gather(scene, item->id, paths[i] ? paths[i] : "");
        if (!rc && paths[i])
            rc = open_node(scene, paths[i], item->id);
    }
    for (size_t i = 0; paths && i < tree->count; i++)
        free(paths[i]);
    free(paths);
    return rc;
}

static void look(void *user, qk_node_look *out, const char *path)
{
    const struct scene *scene = user;
    for (size_t i = 0; i < scene->count; i++) {
        if (strcmp(scene->items[i].path, path) == 0) {
            out->has_status = true;
            out->status = scene->items[i].status;
            out->expanded = scene->items[i].expanded;
            return;
        }
    }
}

static qk_status draw(cli *cli, struct scene *scene, qk_id run, qk_picture_options *options)
{
    qk_run_tree *tree = NULL;
    qk_dag *dag = NULL;
    char *picture = NULL;
    qk_status rc = qk_run_hierarchy(&tree, cli->queue, run, &cli->err);
    if (!rc)
        rc = gather_below(scene, tree);
    if (!rc)
        rc = read_dag(cli, &dag, run);
    options->look = look;
    options->look_user = scene;
    if (!rc)
        rc = qk_dag_picture(&picture, dag, options, &cli->err);
    if (!rc)
        fputs(picture, stdout);
    free(picture);
    qk_dag_free(dag);
    qk_run_tree_free(tree);
    return rc;
}

static qk_status run_graph(cli *cli)
{
    qk_id id;
    struct scene scene = { .cli = cli };
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    qk_status rc = cli_read_picture(cli, &options);
    if (!rc)
        rc = cli_open(cli, false);
    if (!rc)
        rc = cli_resolve_run(cli, &id, cli->words[0]);
    if (!rc)
        rc = draw(cli, &scene, id, &options);
    for (size_t i = 0; i < scene.count; i++) {
        free(scene.items[i].path);
        qk_dag_free(scene.items[i].expanded);
    }
    free(scene.items);
    return rc;
}

static const cli_option graph_options[] = { CLI_PICTURE_OPTIONS, { 0 } };

const cli_command cli_cmd_runs_graph = {
    .name = "runs graph",
    .synopsis = "[OPTION]… RUN",
    .summary = "Draw a run as it stands, with its sub-DAGs",
    .options = graph_options,
    .min_words = 1,
    .max_words = 1,
    .run = run_graph,
};
