/*
 * Needs of a batch; see batch_needs.h.
 */
#include "batch_needs.h"

#include <stdlib.h>

qk_status batch_reference_add(batch_references *list, qk_id id, uint64_t line, qk_error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 1024;
        batch_reference *items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
            return cli_error(err, QK_ENOMEM, "out of memory");
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (batch_reference){ id, line };
    return QK_OK;
}

/* By id, then by line. */
static int compare(const void *a, const void *b)
{
    const batch_reference *left = a;
    const batch_reference *right = b;
    int order = qk_id_compare(left->id, right->id);
    if (order != 0)
        return order;
    return left->line < right->line ? -1 : left->line > right->line;
}

/* The first line that gives the id, or 0. */
static uint64_t line_of(const batch_references *given, qk_id id)
{
    size_t low = 0;
    size_t high = given->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (qk_id_compare(given->items[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < given->count && qk_id_compare(given->items[low].id, id) == 0;
    return found ? given->items[low].line : 0;
}

qk_status batch_needs_check(cli *cli, batch_references *given, const batch_references *needs)
{
    if (given->count)
        qsort(given->items, given->count, sizeof(*given->items), compare);
    for (size_t i = 0; i < needs->count; i++) {
        char text[QK_ID_TEXT_SIZE];
        qk_job *job = NULL;
        const batch_reference *need = &needs->items[i];
        uint64_t line = line_of(given, need->id);
        if (line && line < need->line)
            continue;
        qk_status rc = qk_job_get(&job, cli->queue, need->id, &cli->err);
        qk_job_free(job);
        if (rc == QK_ENOTFOUND)
            return cli_error(&cli->err, rc, "line %llu: needs %s, which %s",
                             (unsigned long long)need->line, qk_id_format(text, need->id),
                             line ? "is given by a later line: put that one first"
                                  : "is neither an earlier line nor a job of the store");
        if (rc)
            return rc;
    }
    return QK_OK;
}
