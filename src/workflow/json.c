/*
 * From a YAML tree to JSON text; see loading.h. Depth and size are bounded by the tree and the
 * buffer's ceiling.
 */
#include <string.h>

#include "workflow/loading.h"

void qk__wf_put_key(qk__buffer *out, const char *key)
{
    if (out->length > 0 && out->data[out->length - 1] != '{')
        qk__buffer_text(out, ",");
    qk__buffer_json_string(out, key, strlen(key));
    qk__buffer_text(out, ":");
}

void qk__wf_put_text(qk__buffer *out, const char *key, const char *text)
{
    if (!text)
        return;
    qk__wf_put_key(out, key);
    qk__buffer_json_string(out, text, strlen(text));
}

static void put_list(qk__buffer *out, const qk__yaml_node *node)
{
    for (size_t i = 0; i < node->count && !out->failed; i++) {
        qk__buffer_text(out, i ? "," : "[");
        qk__wf_put_json(out, node->items[i]);
    }
    qk__buffer_text(out, node->count ? "]" : "[]");
}

static void put_map(qk__buffer *out, const qk__yaml_node *node)
{
    for (size_t i = 0; i < node->count && !out->failed; i++) {
        const qk__yaml_node *key = node->items[2 * i];
        qk__buffer_text(out, i ? "," : "{");
        qk__buffer_json_string(out, key->text, key->length);
        qk__buffer_text(out, ":");
        qk__wf_put_json(out, node->items[2 * i + 1]);
    }
    qk__buffer_text(out, node->count ? "}" : "{}");
}

void qk__wf_put_json(qk__buffer *out, const qk__yaml_node *node)
{
    switch (node->type) {
    case QK__YAML_NULL:
        qk__buffer_text(out, "null");
        break;
    case QK__YAML_BOOL:
        qk__buffer_text(out, node->boolean ? "true" : "false");
        break;
    case QK__YAML_INT:
    case QK__YAML_FLOAT:
        qk__buffer_append(out, node->text, node->length);
        break;
    case QK__YAML_STRING:
        qk__buffer_json_string(out, node->text, node->length);
        break;
    case QK__YAML_LIST:
        put_list(out, node);
        break;
    case QK__YAML_MAP:
        put_map(out, node);
        break;
    }
}

qk_status qk__keep_buffer(const qk__loading *in, const char **out, qk__buffer *buffer)
{
    *out = buffer->failed
               ? NULL
               : qk__arena_text(&in->out->arena, buffer->data ? buffer->data : "", buffer->length);
    qk__buffer_dispose(buffer);
    return *out ? QK_OK : qk__loading_no_memory(in);
}

qk_status qk__yaml_json(const qk__loading *in, const char **out, const qk__yaml_node *node)
{
    qk__buffer text;
    qk__buffer_init(&text, QK__WORKFLOW_TEXT_MAX);
    qk__wf_put_json(&text, node);
    return qk__keep_buffer(in, out, &text);
}
