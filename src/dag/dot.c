/*
 * Pictures in the DOT language. Ids are n<number>; in labels quotes, backslashes and ampersands are
 * escaped, which is all that graphviz gives a meaning to.
 *
 * `layered` writes the positions too, a row per level, without clusters: for pictures too large for
 * a layout that minimises crossings.
 */
#include <stdlib.h>
#include <string.h>

#include "dag/picture.h"

#define COLUMN 170.0 /* points between boxes of a row */
#define ROW 90.0
#define BOX_SIZE "width=2.1,height=0.5,fixedsize=true" /* inches */

static const char *const shapes[] = {
    [QK_NODE_TASK] = "box\",style=\"filled,rounded",
    [QK_NODE_COMMAND] = "box\",style=\"filled",
    [QK_NODE_SQL] = "cylinder\",style=\"filled",
    [QK_NODE_DAG] = "box\",peripheries=2,style=\"filled",
};

static void put_label(qk__buffer *text, const char *label)
{
    for (; *label; label++) {
        if (*label == '\n')
            qk__buffer_text(text, "\\n");
        else if (*label == '"' || *label == '\\')
            qk__buffer_printf(text, "\\%c", *label);
        else if (*label == '&')
            qk__buffer_text(text, "&amp;");
        else
            qk__buffer_append(text, label, 1);
    }
}

static void put_name(qk__buffer *text, const qk__item *item)
{
    put_label(text, item->name);
    if (item->note) {
        qk__buffer_text(text, "\\n");
        put_label(text, item->note);
    }
}

static void put_colours(qk__buffer *text, const qk__picture *picture, const qk__item *item)
{
    const qk__colours *colours = &picture->palette.of[item->class_];
    qk__buffer_printf(text, "fillcolor=\"%s\",color=\"%s\",fontcolor=\"%s\",class=\"%s\"",
                      colours->fill, colours->stroke, colours->text,
                      qk__class_name((qk__class)item->class_));
}

static void put_box(qk__buffer *text, const qk__picture *picture, uint32_t id, const double *place)
{
    const qk__item *item = &picture->items[id];
    const char *shape = !item->node    ? "box\",style=\"dashed,filled"
                        : item->folded ? "box3d\",style=\"filled"
                                       : shapes[item->node->type];
    qk__buffer_printf(text, "n%u [label=\"", id);
    put_name(text, item);
    qk__buffer_printf(text, "\",shape=\"%s\",", shape);
    put_colours(text, picture, item);
    if (place)
        qk__buffer_printf(text, ",pos=\"%d,%d\"," BOX_SIZE, (int)place[0], (int)place[1]);
    qk__buffer_text(text, "];\n");
}

static void put_head(qk__buffer *text, const qk__picture *picture, bool layered)
{
    const qk__colours *edge = &picture->palette.of[QK__CLASS_EDGE];
    const qk__colours *back = &picture->palette.of[QK__CLASS_BACKGROUND];
    bool large = picture->box_count > 200;
    qk__buffer_text(text, "digraph \"");
    put_label(text, picture->dag->name);
    qk__buffer_printf(text,
                      "\" {\ngraph [rankdir=%s,compound=true,bgcolor=\"%s\",fontcolor=\"%s\","
                      "fontname=\"Helvetica\"%s%s];\n",
                      picture->options->left_to_right ? "LR" : "TB", back->fill, back->text,
                      large || layered ? ",splines=line" : "",
                      large ? ",nslimit=0.1,nslimit1=0.1,mclimit=0.02" : "");
    qk__buffer_printf(text,
                      "node [fontname=\"Helvetica\",fontsize=11];\nedge [color=\"%s\","
                      "arrowsize=0.7];\n",
                      edge->stroke);
}

static void put_items(qk__buffer *text, const qk__picture *picture)
{
    uint32_t open = QK__NO_ITEM;
    for (uint32_t i = 0; i <= picture->count; i++) {
        while (open != QK__NO_ITEM && picture->items[open].end == i) {
            qk__buffer_text(text, "}\n");
            open = picture->items[open].cluster;
        }
        if (i == picture->count)
            break;
        const qk__item *item = &picture->items[i];
        if (!item->is_cluster) {
            put_box(text, picture, i, NULL);
            continue;
        }
        qk__buffer_printf(text, "subgraph cluster_%u {\nlabel=\"", i);
        put_name(text, item);
        qk__buffer_text(text, "\";style=\"filled,rounded\";");
        const qk__colours *colours = &picture->palette.of[item->class_];
        qk__buffer_printf(text, "fillcolor=\"%s\";color=\"%s\";fontcolor=\"%s\";class=\"%s\";\n",
                          colours->fill, colours->stroke, colours->text,
                          qk__class_name((qk__class)item->class_));
        open = i;
    }
}

static void put_edge(qk__buffer *text, const qk__picture *picture, const qk__edge *edge,
                     bool clusters)
{
    const char *separator = "";
    qk__buffer_printf(text, "n%u -> n%u", qk__picture_box_of(picture, edge->from, true),
                      qk__picture_box_of(picture, edge->to, false));
    bool tail = clusters && picture->items[edge->from].is_cluster;
    bool head = clusters && picture->items[edge->to].is_cluster;
    if (tail || head || edge->conditional)
        qk__buffer_text(text, " [");
    if (tail) {
        qk__buffer_printf(text, "ltail=cluster_%u", edge->from);
        separator = ",";
    }
    if (head) {
        qk__buffer_printf(text, "%slhead=cluster_%u", separator, edge->to);
        separator = ",";
    }
    if (edge->conditional)
        qk__buffer_printf(text, "%sstyle=dashed", separator);
    qk__buffer_text(text, tail || head || edge->conditional ? "];\n" : ";\n");
}

/* Rows of boxes, each centred. The rows of an opened sub-DAG begin at its node's. */
static bool put_rows(qk__buffer *text, const qk__picture *picture)
{
    uint32_t *row = calloc(picture->count + (size_t)1, sizeof(*row));
    uint32_t *used = calloc(picture->count + (size_t)2, sizeof(*used));
    uint32_t *width = calloc(picture->count + (size_t)2, sizeof(*width));
    bool good = row && used && width;
    for (uint32_t i = 0; good && i < picture->count; i++) {
        const qk__item *item = &picture->items[i];
        uint32_t base = item->cluster == QK__NO_ITEM ? 0 : row[item->cluster];
        row[i] = base + item->level < picture->count ? base + item->level : picture->count;
        width[row[i]] += !item->is_cluster;
    }
    for (uint32_t i = 0; good && i < picture->count; i++) {
        if (picture->items[i].is_cluster)
            continue;
        double across = ((double)used[row[i]]++ - (width[row[i]] - 1) / 2.0) * COLUMN;
        double along = row[i] * ROW;
        double place[2] = { across, -along };
        if (picture->options->left_to_right) {
            place[0] = along * COLUMN * 1.3 / ROW;
            place[1] = -across * ROW / COLUMN;
        }
        put_box(text, picture, i, place);
    }
    free(row);
    free(used);
    free(width);
    return good;
}

void qk__picture_dot(qk__buffer *text, const qk__picture *picture, bool layered)
{
    put_head(text, picture, layered);
    if (!layered)
        put_items(text, picture);
    else if (!put_rows(text, picture))
        text->failed = true;
    for (size_t e = 0; e < picture->edge_count; e++)
        put_edge(text, picture, &picture->edges[e], !layered);
    qk__buffer_text(text, "}\n");
}
