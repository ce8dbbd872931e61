/*
 * Pictures as JSON, for programs that draw: the same items and edges, with levels and states.
 */
#include <string.h>

#include "dag/picture.h"

static void put_text(qk__buffer *text, const char *key, const char *value)
{
    if (!value)
        return;
    qk__buffer_printf(text, ",\"%s\":", key);
    qk__buffer_json_string(text, value, strlen(value));
}

static void put_item(qk__buffer *text, const qk__picture *picture, uint32_t id)
{
    static const char *const types[] = { "task", "command", "sql", "dag" };
    const qk__item *item = &picture->items[id];
    qk__buffer_printf(text, "{\"id\":%u", id);
    put_text(text, "name", item->name);
    put_text(text, "path", item->path);
    put_text(text, "type", item->node ? types[item->node->type] : "external");
    if (item->node)
        put_text(text, "kind", item->node->kind);
    if (item->status < QK_JOB_STATUS_COUNT)
        put_text(text, "status", qk_job_status_name((qk_job_status)item->status));
    put_text(text, "note", item->note);
    qk__buffer_printf(text, ",\"level\":%u", item->level);
    if (item->cluster != QK__NO_ITEM)
        qk__buffer_printf(text, ",\"parent\":%u", item->cluster);
    if (item->folded)
        qk__buffer_printf(text, ",\"folded\":%u", item->folded);
    qk__buffer_printf(text, "%s}", item->is_cluster ? ",\"open\":true" : "");
}

void qk__picture_json(qk__buffer *text, const qk__picture *picture)
{
    qk__buffer_text(text, "{\"name\":");
    qk__buffer_json_string(text, picture->dag->name, strlen(picture->dag->name));
    qk__buffer_text(text, ",\"nodes\":[");
    for (uint32_t i = 0; i < picture->count; i++) {
        qk__buffer_text(text, i ? "," : "");
        put_item(text, picture, i);
    }
    qk__buffer_text(text, "],\"edges\":[");
    for (size_t e = 0; e < picture->edge_count; e++) {
        const qk__edge *edge = &picture->edges[e];
        qk__buffer_printf(text, "%s{\"from\":%u,\"to\":%u%s}", e ? "," : "", edge->from, edge->to,
                          edge->conditional ? ",\"conditional\":true" : "");
    }
    qk__buffer_text(text, "]}");
}
