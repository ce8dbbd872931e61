/*
 * Runs for people; see row_run.h.
 */
#include "store/embedded/row_run.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"

struct draft {
    json_t *ext;
    char *metadata, *params; /* JSON text, or NULL */
};

static char *json_text(const json_t *ext, const char *key)
{
    const json_t *value = json_object_get(ext, key);
    return value == NULL || json_is_null(value) ? NULL
                                                : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

static size_t size_of(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *text_of(const json_t *ext, const char *key)
{
    return json_string_value(json_object_get(ext, key));
}

static qk_status draft_init(struct draft *draft, size_t *size, const qk__row *row, qk_error *err)
{
    draft->ext = row->ext.data == NULL ? NULL : json_loadb(row->ext.data, row->ext.length, 0, NULL);
    if (draft->ext == NULL) {
        return qk__error(err, QK_EDAMAGED, "a run of the store cannot be read: see `doctor`");
    }
    draft->metadata = json_text(draft->ext, "md");
    draft->params = json_text(draft->ext, "pr");
    *size += row->node.length + 1u + row->payload.length + 1u + size_of(draft->metadata) +
             size_of(draft->params) + size_of(text_of(draft->ext, "de")) +
             size_of(text_of(draft->ext, "tr"));
    return QK_OK;
}

static void draft_dispose(struct draft *draft)
{
    json_decref(draft->ext);
    free(draft->metadata);
    free(draft->params);
}

static const char *put(char **at, const char *text, size_t length)
{
    char *start = *at;
    if (text == NULL) {
        return NULL;
    }
    memcpy(start, text, length);
    start[length] = '\0';
    *at += length + 1;
    return start;
}

static const char *put_text(char **at, const char *text)
{
    return put(at, text, text == NULL ? 0 : strlen(text));
}

static void fill(qk_run *run, const qk__row *row, const struct draft *draft, char **at)
{
    const char *root = text_of(draft->ext, "rt");
    run->id = row->id;
    run->parent_job = row->related;
    if (root != NULL) {
        (void)qk_id_parse(&run->root_run, root);
    }
    run->name = put(at, row->node.data == NULL ? "" : row->node.data, row->node.length);
    run->description = put_text(at, text_of(draft->ext, "de"));
    run->created_at.us = row->created_us;
    run->completed_at.us = row->finished_us;
    run->status = (qk_run_status)row->status;
    run->metadata = put_text(at, draft->metadata);
    run->params = put_text(at, draft->params);
    run->trigger = put_text(at, text_of(draft->ext, "tr"));
    run->scheduled_for.us = json_integer_value(json_object_get(draft->ext, "sf"));
    run->definition = put(at, row->payload.data, row->payload.length);
}

/* A block with `head` bytes, then the runs, then their text. */
static qk_status make_block(void **block, qk_run **items, size_t head, const qk__row *rows,
                            size_t count, qk_error *err)
{
    size_t size = 0;
    qk_status rc = QK_OK;
    struct draft *drafts = calloc(count + 1, sizeof *drafts);
    if (drafts == NULL) {
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    for (size_t i = 0; rc == QK_OK && i < count; i++) {
        rc = draft_init(&drafts[i], &size, &rows[i], err);
    }
    char *memory = rc == QK_OK ? calloc(1, head + count * sizeof(qk_run) + size + 1) : NULL;
    if (rc == QK_OK && memory == NULL) {
        rc = qk__error(err, QK_ENOMEM, "out of memory");
    }
    if (rc == QK_OK) {
        *items = (qk_run *)(void *)(memory + head);
        char *at = (char *)(*items + count);
        for (size_t i = 0; i < count; i++) {
            fill(&(*items)[i], &rows[i], &drafts[i], &at);
        }
        *block = memory;
    }
    for (size_t i = 0; i < count; i++) {
        draft_dispose(&drafts[i]);
    }
    free(drafts);
    return rc;
}

qk_status qk__row_to_run(qk_run **out, const qk__row *row, qk_error *err)
{
    void *block;
    return make_block(&block, out, 0, row, 1, err);
}

qk_status qk__rows_to_run_list(qk_run_list **out, const qk__row *rows, size_t count, size_t limit,
                               qk_error *err)
{
    void *block = NULL;
    qk_run *items = NULL;
    size_t kept = count < limit ? count : limit;
    qk_status rc = make_block(&block, &items, sizeof(qk_run_list), rows, kept, err);
    if (rc == QK_OK) {
        *out = block;
        **out = (qk_run_list){ kept, items, count > limit };
    }
    return rc;
}

static size_t find_row(const qk__row_set *set, qk_id id)
{
    for (size_t low = 0, high = set->count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = qk_id_compare(set->rows[middle].id, id);
        if (order == 0) {
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return SIZE_MAX;
}

struct branch {
    size_t first_child, next; /* indexes of runs; SIZE_MAX */
    size_t place; /* in the tree that is made */
};

static size_t outer_of(const qk__row_set *runs, const qk__row *row)
{
    char text[QK_ID_TEXT_SIZE] = "";
    qk_id id;
    if (row->result.data == NULL || row->result.length >= sizeof text) {
        return SIZE_MAX;
    }
    memcpy(text, row->result.data, row->result.length);
    return qk_id_parse(&id, text) == QK_OK ? find_row(runs, id) : SIZE_MAX;
}

static void link_branches(struct branch *branches, const qk__row_set *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        branches[i] = (struct branch){ SIZE_MAX, SIZE_MAX, SIZE_MAX };
    }
    for (size_t i = runs->count; i-- > 0;) { /* so that children come in order of id */
        size_t outer = outer_of(runs, &runs->rows[i]);
        if (outer != SIZE_MAX) {
            branches[i].next = branches[outer].first_child;
            branches[outer].first_child = i;
        }
    }
}

static void add_item(qk_run_tree *tree, const qk__row *row, size_t parent, int depth, char **at)
{
    size_t place = tree->count++;
    tree->items[place] =
        (qk_run_tree_item){ .id = row->id,
                            .name = put(at, row->node.data == NULL ? "" : row->node.data,
                                        row->node.length),
                            .status = (qk_run_status)row->status,
                            .parent_job = row->related,
                            .parent = parent == SIZE_MAX ? place : parent,
                            .depth = depth };
}

/* Each run behind the one around it: down to the first child, else on to the next, else up. */
static void walk(qk_run_tree *tree, struct branch *branches, const qk__row_set *runs, size_t root,
                 size_t *path, char *at)
{
    size_t depth = 0;
    path[0] = root;
    for (;;) {
        size_t run = path[depth];
        branches[run].place = tree->count;
        add_item(tree, &runs->rows[run], depth == 0 ? SIZE_MAX : branches[path[depth - 1]].place,
                 (int)depth, &at);
        if (branches[run].first_child != SIZE_MAX) {
            path[depth + 1] = branches[run].first_child;
            depth++;
            continue;
        }
        while (depth > 0 && branches[path[depth]].next == SIZE_MAX) {
            depth--;
        }
        if (depth == 0) {
            return;
        }
        path[depth] = branches[path[depth]].next;
    }
}

qk_status qk__rows_to_tree(qk_run_tree **out, const qk__row_set *runs, qk_id root, qk_error *err)
{
    size_t text = 0;
    size_t start = find_row(runs, root);
    if (start == SIZE_MAX) {
        return QK_ENOTFOUND;
    }
    for (size_t i = 0; i < runs->count; i++) {
        text += runs->rows[i].node.length + 1u;
    }
    struct branch *branches = malloc((runs->count + 1) * sizeof *branches);
    size_t *path = malloc((runs->count + 1) * sizeof *path);
    qk_run_tree *tree = malloc(sizeof *tree + runs->count * sizeof *tree->items + text);
    if (branches != NULL && path != NULL && tree != NULL) {
        tree->count = 0;
        tree->items = (qk_run_tree_item *)(tree + 1);
        link_branches(branches, runs);
        walk(tree, branches, runs, start, path, (char *)(tree->items + runs->count));
        *out = tree;
    }
    bool good = branches != NULL && path != NULL && tree != NULL;
    free(branches);
    free(path);
    if (!good) {
        free(tree);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    return QK_OK;
}
