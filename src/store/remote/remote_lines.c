/*
 * Lists that the owner streams, one item per line. Any thread.
 */
#include "store/remote/remote_internal.h"

#include <stdlib.h>
#include <string.h>

/* One line of the answer: the head, an item, or the end. */
static bool take_line(struct remote_lines *list, const char *line, size_t length, qk_status *rc)
{
    static const char head[] = "{\"more\":true,";
    if (length < 2 || line[0] == ']')
        return true;
    if (length >= 8 && memcmp(line, "{\"more\":", 8) == 0) {
        list->more = strncmp(line, head, sizeof(head) - 1) == 0;
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 64;
        json_t **grown = realloc(list->items, capacity * sizeof(json_t *));
        if (!grown) {
            *rc = QK_ENOMEM;
            return false;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    json_t *item = json_loadb(line, length - (line[length - 1] == ','), 0, NULL);
    if (item)
        list->items[list->count++] = item;
    return item != NULL;
}

static qk_status read_lines(struct remote_lines *list, qk__exchange *exchange, qk_error *err)
{
    const char *line;
    size_t length;
    bool ended = false;
    qk_status rc = QK_OK;
    while (!rc) {
        rc = qk__exchange_line(exchange, &line, &length, err);
        if (rc || !line)
            break;
        ended = length >= 2 && line[0] == ']';
        if (!take_line(list, line, length, &rc))
            return rc ? qk__error(err, rc, "out of memory") : remote_nonsense(err);
    }
    return rc || ended ? rc : remote_nonsense(err);
}

qk_status remote_read_lines(struct remote *store, struct remote_lines *out, qk__buffer *path,
                            qk_error *err)
{
    qk__exchange *exchange = NULL;
    const qk__call call = { .method = "GET", .path = path->data };
    *out = (struct remote_lines){ 0 };
    qk_status rc = path->failed ? qk__error(err, QK_ENOMEM, "out of memory")
                                : qk__exchange_open(&exchange, store->client, &call, err);
    qk__buffer_dispose(path);
    if (!rc) {
        rc = read_lines(out, exchange, err);
        qk__exchange_close(exchange);
    }
    return rc;
}

void remote_lines_dispose(struct remote_lines *list)
{
    for (size_t i = 0; i < list->count; i++)
        json_decref(list->items[i]);
    free(list->items);
}
