/*
 * Making a picture; see picture.h. Linear in nodes and edges apart from folding. Recursion is over
 * sub-DAGs that are opened, at most QK_DAG_NESTING_MAX deep, also where a run's look hands out DAGs.
 */
#include "dag/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dag/names.h"
#include "queue/validate.h"
#include "util/error.h"

/* One DAG while its items are made. */
typedef struct layer {
    qk__picture *picture;
    qk_dag *dag;
    const char *prefix; /* of paths: "" or "outer/" */
    uint32_t cluster;
    int depth;
    qk_node_look *looks; /* by node; NULL without states */
    const char **paths; /* by node */
    uint8_t *statuses; /* by node; NULL without states */
    uint32_t *leader, *size; /* of folding */
    uint32_t *item; /* by node */
} layer;

static qk_status add_dag(qk__picture *picture, qk_dag *dag, const char *prefix, uint32_t cluster,
                         int depth);

static uint32_t new_item(qk__picture *picture, const qk__item *item)
{
    if (picture->count == picture->capacity) {
        uint32_t capacity = picture->capacity ? picture->capacity * 2 : 64;
        qk__item *items = realloc(picture->items, capacity * sizeof(*items));
        if (!items)
            return QK__NO_ITEM;
        picture->items = items;
        picture->capacity = capacity;
    }
    picture->items[picture->count] = *item;
    picture->box_count += !item->is_cluster;
    return picture->count++;
}

static bool new_edge(qk__picture *picture, uint32_t from, uint32_t to, bool conditional)
{
    if (picture->edge_count == picture->edge_capacity) {
        size_t capacity = picture->edge_capacity ? picture->edge_capacity * 2 : 64;
        qk__edge *edges = realloc(picture->edges, capacity * sizeof(*edges));
        if (!edges)
            return false;
        picture->edges = edges;
        picture->edge_capacity = capacity;
    }
    picture->edges[picture->edge_count++] = (qk__edge){ from, to, conditional };
    return true;
}

static const char *join(qk__arena *arena, const char *a, const char *b)
{
    size_t length = strlen(a);
    size_t more = strlen(b);
    char *text = qk__arena_take(arena, length + more + 1);
    if (text) {
        memcpy(text, a, length);
        memcpy(text + length, b, more + 1);
    }
    return text;
}

static qk_status look_at_nodes(layer *layer)
{
    const qk_picture_options *options = layer->picture->options;
    for (uint32_t i = 0; i < layer->dag->count; i++) {
        layer->paths[i] = join(&layer->picture->arena, layer->prefix, layer->dag->nodes[i].name);
        if (!layer->paths[i])
            return QK_ENOMEM;
        if (!options->look)
            continue;
        qk_node_look *look = &layer->looks[i];
        options->look(options->look_user, look, layer->paths[i]);
        if (look->note) {
            look->note = qk__arena_text(&layer->picture->arena, look->note, strlen(look->note));
            if (!look->note)
                return QK_ENOMEM;
        }
        bool known = look->has_status && (unsigned)look->status < QK_JOB_STATUS_COUNT;
        layer->statuses[i] = (uint8_t)(known ? (unsigned)look->status : QK_JOB_STATUS_COUNT);
    }
    return QK_OK;
}

/* Lines under the name: mode, what it is folded of, what the look says. */
static const char *note_of(const layer *layer, uint32_t i, uint32_t folded)
{
    const qk__node *node = &layer->dag->nodes[i];
    const char *said = layer->looks ? layer->looks[i].note : NULL;
    char text[128] = "";
    size_t length = 0;
    if (folded > 1 && node->type != QK_NODE_DAG)
        length += (size_t)snprintf(text, sizeof(text), "and %u more like it", folded - 1);
    else if (folded)
        length += (size_t)snprintf(text, sizeof(text), "%u nodes", folded);
    if (node->job->mode != QK_MODE_ALL)
        snprintf(text + length, sizeof(text) - length, "%smode %s", length ? ", " : "",
                 qk_dependency_mode_name(node->job->mode));
    if (!text[0])
        return said;
    const char *own = qk__arena_text(&layer->picture->arena, text, strlen(text));
    const char *line = own && said ? join(&layer->picture->arena, own, "\n") : own;
    return line && said ? join(&layer->picture->arena, line, said) : line;
}

static qk_dag *child_of(const layer *layer, uint32_t i)
{
    qk_dag *child = layer->dag->nodes[i].child;
    return !child && layer->looks ? layer->looks[i].expanded : child;
}

static qk_status add_node(layer *layer, uint32_t i)
{
    qk__picture *picture = layer->picture;
    const qk__node *node = &layer->dag->nodes[i];
    qk_dag *child = child_of(layer, i);
    int limit = picture->options->max_depth ? picture->options->max_depth : QK_DAG_NESTING_MAX;
    bool opened = child && child->count && layer->depth < limit;
    uint8_t status = layer->statuses ? layer->statuses[i] : QK_JOB_STATUS_COUNT;
    qk__item item = {
        .path = layer->paths[i],
        .name = node->name,
        .node = node,
        .cluster = layer->cluster,
        .level = layer->dag->graph.level[i],
        .folded = layer->size[i] > 1 ? layer->size[i]
                  : child && !opened ? (uint32_t)child->total
                                     : 0,
        .status = status,
        .is_cluster = opened,
    };
    item.class_ = (uint8_t)(status < QK_JOB_STATUS_COUNT ? QK__CLASS_STATUS + status
                            : opened                     ? QK__CLASS_CLUSTER
                            : item.folded                ? QK__CLASS_FOLDED
                                                         : QK__CLASS_TYPE + node->type);
    item.note = note_of(layer, i, item.folded);
    layer->item[i] = new_item(picture, &item);
    if (layer->item[i] == QK__NO_ITEM)
        return QK_ENOMEM;
    if (!opened)
        return QK_OK;
    const char *prefix = join(&picture->arena, layer->paths[i], "/");
    qk_status rc =
        prefix ? add_dag(picture, child, prefix, layer->item[i], layer->depth + 1) : QK_ENOMEM;
    picture->items[layer->item[i]].end = picture->count;
    return rc;
}

/* A box for the jobs outside that a node waits for. */
static qk_status add_outside(layer *layer, uint32_t i)
{
    char text[64];
    char id[QK_ID_TEXT_SIZE];
    const qk_job_options *job = layer->dag->nodes[i].job;
    if (job->needs_count == 0)
        return QK_OK;
    if (job->needs_count == 1)
        snprintf(text, sizeof(text), "job %s", qk_id_format(id, job->needs[0]));
    else
        snprintf(text, sizeof(text), "%zu jobs outside", job->needs_count);
    const char *name = qk__arena_text(&layer->picture->arena, text, strlen(text));
    qk__item item = { .path = name,
                      .name = name,
                      .cluster = layer->cluster,
                      .status = QK_JOB_STATUS_COUNT,
                      .class_ = QK__CLASS_EXTERNAL };
    uint32_t made = name ? new_item(layer->picture, &item) : QK__NO_ITEM;
    return made != QK__NO_ITEM &&
                   new_edge(layer->picture, made, layer->item[i], layer->dag->nodes[i].when != NULL)
               ? QK_OK
               : QK_ENOMEM;
}

static qk_status add_edges(layer *layer, uint32_t i)
{
    const qk__graph *graph = &layer->dag->graph;
    if (layer->leader[i] != i)
        return QK_OK;
    for (uint32_t p = graph->parent_at[i]; p < graph->parent_at[i + 1]; p++) {
        uint32_t parent = graph->parents[p];
        if (layer->leader[parent] == parent &&
            !new_edge(layer->picture, layer->item[parent], layer->item[i],
                      layer->dag->nodes[i].when != NULL))
            return QK_ENOMEM;
    }
    return QK_OK;
}

static bool allocate(layer *layer)
{
    size_t count = layer->dag->count + 1;
    bool states = layer->picture->options->look != NULL;
    layer->looks = states ? calloc(count, sizeof(*layer->looks)) : NULL;
    layer->statuses = states ? calloc(count, 1) : NULL;
    layer->paths = calloc(count, sizeof(*layer->paths));
    layer->leader = malloc(count * sizeof(uint32_t));
    layer->size = malloc(count * sizeof(uint32_t));
    layer->item = malloc(count * sizeof(uint32_t));
    return layer->paths && layer->leader && layer->size && layer->item &&
           (!states || (layer->looks && layer->statuses));
}

static qk_status add_layer(layer *layer)
{
    uint32_t count = (uint32_t)layer->dag->count;
    qk_status rc = look_at_nodes(layer);
    if (!rc)
        rc = qk__picture_fold(layer->leader, layer->size, layer->dag, layer->statuses,
                              layer->picture->options->fold_fan_out);
    for (uint32_t i = 0; !rc && i < count; i++) {
        if (layer->leader[i] == i)
            rc = add_node(layer, i);
        if (!rc && layer->leader[i] == i)
            rc = add_outside(layer, i);
    }
    for (uint32_t i = 0; !rc && i < count; i++)
        rc = add_edges(layer, i);
    return rc;
}

static qk_status add_dag(qk__picture *picture, qk_dag *dag, const char *prefix, uint32_t cluster,
                         int depth)
{
    layer layer = {
        .picture = picture, .dag = dag, .prefix = prefix, .cluster = cluster, .depth = depth
    };
    qk_status rc = qk__dag_prepare(dag, NULL);
    if (!rc)
        rc = allocate(&layer) ? add_layer(&layer) : QK_ENOMEM;
    free(layer.looks);
    free(layer.statuses);
    free(layer.paths);
    free(layer.leader);
    free(layer.size);
    free(layer.item);
    return rc;
}

static qk_status check_options(const qk_picture_options *options, qk_error *err)
{
    qk_status rc =
        qk__check_version("picture options", "QK_PICTURE_OPTIONS_INIT", options->version, err);
    if (!rc && (options->max_depth < 0 || options->max_depth > QK_DAG_NESTING_MAX))
        rc = qk__error(err, QK_EINVAL, "max_depth: must be 0 to %d", QK_DAG_NESTING_MAX);
    if (!rc && (unsigned)options->format > QK_PICTURE_SVG)
        rc = qk__error(err, QK_EINVAL, "format: %d is not known", (int)options->format);
    return rc;
}

qk_status qk__picture_init(qk__picture *out, qk_dag *dag, const qk_picture_options *options,
                           qk_error *err)
{
    *out = (qk__picture){ .dag = dag, .options = options };
    qk_status rc = check_options(options, err);
    if (!rc)
        rc = qk__palette_init(&out->palette, options->theme, options->colours,
                              options->colour_count, err);
    if (!rc)
        rc = qk__dag_prepare(dag, err);
    if (rc)
        return rc;
    rc = add_dag(out, dag, "", QK__NO_ITEM, 1);
    if (rc == QK_ENOMEM)
        qk__error(err, rc, "out of memory");
    else if (rc)
        qk__dag_error(err, rc, dag, NULL, "a sub-DAG of the picture is not valid");
    if (rc)
        qk__picture_dispose(out);
    return rc;
}

void qk__picture_dispose(qk__picture *picture)
{
    qk__arena_dispose(&picture->arena);
    free(picture->items);
    free(picture->edges);
    picture->items = NULL;
    picture->edges = NULL;
}

uint32_t qk__picture_box_of(const qk__picture *picture, uint32_t item, bool last)
{
    const qk__item *items = picture->items;
    uint32_t at = last && items[item].is_cluster ? items[item].end - 1 : item;
    while (items[at].is_cluster)
        at++;
    return at;
}

qk_status qk_dag_picture(char **out, qk_dag *dag, const qk_picture_options *options, qk_error *err)
{
    static const qk_picture_options defaults = QK_PICTURE_OPTIONS_INIT;
    qk__picture picture;
    qk__buffer text;
    *out = NULL;
    options = options ? options : &defaults;
    qk_status rc = qk__picture_init(&picture, dag, options, err);
    if (rc)
        return rc;
    qk__buffer_init(&text, QK__PICTURE_MAX);
    if (options->format == QK_PICTURE_SVG)
        rc = qk__picture_svg(out, &picture, err);
    else if (options->format == QK_PICTURE_MERMAID)
        qk__picture_mermaid(&text, &picture);
    else if (options->format == QK_PICTURE_DOT)
        qk__picture_dot(&text, &picture, false);
    else
        qk__picture_json(&text, &picture);
    if (options->format != QK_PICTURE_SVG) {
        *out = qk__buffer_take(&text);
        rc = *out ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
    }
    qk__buffer_dispose(&text);
    qk__picture_dispose(&picture);
    return rc;
}
