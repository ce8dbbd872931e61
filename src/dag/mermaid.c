/*
 * Pictures as Mermaid flowcharts. Ids are n<number>, so names are only ever labels; in labels every
 * ASCII character that Mermaid, Markdown or HTML could take for syntax is a numeric entity.
 */
#include <string.h>

#include "dag/picture.h"

/* Opening and closing of the shape of a type. */
static const char *const shapes[][2] = {
    [QK_NODE_TASK] = { "(\"", "\")" },
    [QK_NODE_COMMAND] = { "[\"", "\"]" },
    [QK_NODE_SQL] = { "[(\"", "\")]" },
    [QK_NODE_DAG] = { "[[\"", "\"]]" },
};

static bool is_plain(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c && strchr(" _.,/-", c));
}

static void put_label(qk__buffer *text, const char *label)
{
    while (*label) {
        size_t run = 0;
        while (label[run] && is_plain((unsigned char)label[run]))
            run++;
        qk__buffer_append(text, label, run);
        label += run;
        if (*label == '\n')
            qk__buffer_text(text, "<br/>");
        else if (*label)
            qk__buffer_printf(text, "#%d;", (unsigned char)*label);
        label += *label != '\0';
    }
}

static void put_name(qk__buffer *text, const qk__item *item)
{
    put_label(text, item->name);
    if (item->note) {
        qk__buffer_text(text, "<br/>");
        put_label(text, item->note);
    }
}

static void put_classes(qk__buffer *text, const qk__palette *palette)
{
    for (int i = 0; i < QK__CLASS_BACKGROUND; i++) {
        const qk__colours *colours = &palette->of[i];
        qk__buffer_printf(text, "  classDef %s fill:%s,stroke:%s,color:%s\n",
                          qk__class_name((qk__class)i), colours->fill, colours->stroke,
                          colours->text);
    }
}

static void put_head(qk__buffer *text, const qk__picture *picture)
{
    const qk__palette *palette = &picture->palette;
    const qk__colours *edge = &palette->of[QK__CLASS_EDGE];
    const qk__colours *cluster = &palette->of[QK__CLASS_CLUSTER];
    qk__buffer_printf(
        text,
        "%%%%{init: {\"theme\": \"base\", \"themeVariables\": {\"background\": \"%s\", "
        "\"lineColor\": \"%s\", \"textColor\": \"%s\", \"clusterBkg\": \"%s\", "
        "\"clusterBorder\": \"%s\"}}}%%%%\n",
        palette->of[QK__CLASS_BACKGROUND].fill, edge->stroke, edge->text, cluster->fill,
        cluster->stroke);
    qk__buffer_printf(text, "flowchart %s\n", picture->options->left_to_right ? "LR" : "TB");
    put_classes(text, palette);
}

static void indent(qk__buffer *text, int depth)
{
    for (int i = 0; i < depth; i++)
        qk__buffer_append(text, "  ", 2);
}

static void put_box(qk__buffer *text, const qk__item *item, uint32_t id)
{
    static const char *const outside[] = { "([\"", "\"])" };
    static const char *const folded[] = { "{{\"", "\"}}" };
    const char *const *shape = !item->node    ? outside
                               : item->folded ? folded
                                              : shapes[item->node->type];
    qk__buffer_printf(text, "n%u%s", id, shape[0]);
    put_name(text, item);
    qk__buffer_printf(text, "%s:::%s\n", shape[1], qk__class_name((qk__class)item->class_));
}

static void put_items(qk__buffer *text, const qk__picture *picture)
{
    uint32_t open = QK__NO_ITEM; /* the innermost cluster that is open */
    int depth = 1;
    for (uint32_t i = 0; i <= picture->count; i++) {
        while (open != QK__NO_ITEM && picture->items[open].end == i) {
            indent(text, --depth);
            qk__buffer_text(text, "end\n");
            open = picture->items[open].cluster;
        }
        if (i == picture->count)
            break;
        const qk__item *item = &picture->items[i];
        indent(text, depth);
        if (!item->is_cluster) {
            put_box(text, item, i);
            continue;
        }
        qk__buffer_printf(text, "subgraph n%u [\"", i);
        put_name(text, item);
        qk__buffer_text(text, "\"]\n");
        open = i;
        depth++;
    }
}

void qk__picture_mermaid(qk__buffer *text, const qk__picture *picture)
{
    put_head(text, picture);
    put_items(text, picture);
    for (size_t e = 0; e < picture->edge_count; e++) {
        const qk__edge *edge = &picture->edges[e];
        qk__buffer_printf(text, "  n%u %s n%u\n", edge->from, edge->conditional ? "-.->" : "-->",
                          edge->to);
    }
    for (uint32_t i = 0; i < picture->count; i++) {
        if (picture->items[i].is_cluster)
            qk__buffer_printf(text, "  class n%u %s\n", i,
                              qk__class_name((qk__class)picture->items[i].class_));
    }
}
