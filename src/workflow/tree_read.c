/*
 * From libyaml's events to a tree; see tree.h. libyaml keeps its own stack; ours is the C stack, at
 * most QK__YAML_DEPTH_MAX deep. Nodes are counted as they come and by weight, so that neither a long
 * file nor a short one full of aliases can use up memory.
 */
#include "workflow/tree.h"

#include "util/error.h"

#ifdef QUEUACK_WORKFLOW

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "workflow/scalar.h"

typedef struct anchor {
    const char *name;
    const qk__yaml_node *node;
} anchor;

typedef struct reader {
    qk__yaml *out;
    yaml_parser_t parser;
    anchor *anchors;
    size_t anchor_count, anchor_capacity;
    int depth;
    qk_error *err;
} reader;

static const qk__yaml_node *read_node(reader *in, yaml_event_t *event);

static qk__place place_of(yaml_mark_t mark)
{
    return (qk__place){ (int)mark.line + 1, (int)mark.column + 1 };
}

static qk_status no_memory(reader *in)
{
    return qk__error(in->err, QK_ENOMEM, "out of memory for a workflow file");
}

static qk_status wrong(reader *in, qk__place place, const char *what)
{
    return qk__yaml_error(in->err, QK_EINVAL, in->out->file, place, "%s", what);
}

/* What libyaml found wrong, with what it was at. */
static qk_status syntax(reader *in)
{
    const yaml_parser_t *parser = &in->parser;
    if (parser->error == YAML_MEMORY_ERROR)
        return no_memory(in);
    if (parser->error == YAML_READER_ERROR) {
        qk__place place = { 1, 1 };
        for (size_t i = 0; i < parser->problem_offset && i < in->out->source_length; i++) {
            place.column++;
            if (in->out->source[i] == '\n')
                place = (qk__place){ place.line + 1, 1 };
        }
        return qk__yaml_error(in->err, QK_EINVAL, in->out->file, place,
                              "not YAML: %s: the file must be UTF-8 text", parser->problem);
    }
    const char *hint = "";
    if (strstr(parser->problem, "cannot start any token"))
        hint =
            ": use spaces to indent, and quotes around text that starts with a special character";
    else if (strstr(parser->problem, "mapping values are not allowed"))
        hint = ": put quotes around text with a colon in it";
    return qk__yaml_error(in->err, QK_EINVAL, in->out->file, place_of(parser->problem_mark),
                          "not YAML: %s%s%s%s", parser->problem, parser->context ? " " : "",
                          parser->context ? parser->context : "", hint);
}

static qk_status next(reader *in, yaml_event_t *event)
{
    return yaml_parser_parse(&in->parser, event) ? QK_OK : syntax(in);
}

static qk__yaml_node *new_node(reader *in, qk__yaml_type type, const yaml_event_t *event)
{
    qk__yaml_node *node = qk__arena_take(&in->out->arena, sizeof(*node));
    if (!node) {
        no_memory(in);
        return NULL;
    }
    *node = (qk__yaml_node){ .type = type, .place = place_of(event->start_mark), .weight = 1 };
    return node;
}

static const anchor *find_anchor(const reader *in, const char *name)
{
    for (size_t i = in->anchor_count; i > 0; i--) {
        if (strcmp(in->anchors[i - 1].name, name) == 0)
            return &in->anchors[i - 1];
    }
    return NULL;
}

static bool add_anchor(reader *in, const yaml_char_t *name, const qk__yaml_node *node)
{
    if (!name)
        return true;
    if (in->anchor_count == 1000) {
        wrong(in, node->place, "more than 1000 anchors: write the values out");
        return false;
    }
    if (in->anchor_count == in->anchor_capacity) {
        size_t capacity = in->anchor_capacity * 2 + 8;
        anchor *grown = realloc(in->anchors, capacity * sizeof(*grown));
        if (!grown)
            return no_memory(in), false;
        in->anchors = grown;
        in->anchor_capacity = capacity;
    }
    const char *copy =
        qk__arena_text(&in->out->arena, (const char *)name, strlen((const char *)name));
    if (!copy)
        return no_memory(in), false;
    in->anchors[in->anchor_count++] = (anchor){ copy, node };
    return true;
}

static const qk__yaml_node *read_alias(reader *in, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    const anchor *found = find_anchor(in, name);
    if (found && found->node)
        return found->node;
    qk__yaml_error(in->err, QK_EINVAL, in->out->file, place_of(event->start_mark),
                   found ? "the alias *%.60s stands inside what it names: write the value out"
                         : "there is no anchor &%.60s before this alias: define it first",
                   name);
    return NULL;
}

static bool tag_is_known(const yaml_char_t *tag, const char *known)
{
    return !tag || strcmp((const char *)tag, known) == 0 || strcmp((const char *)tag, "!") == 0;
}

static const qk__yaml_node *read_scalar(reader *in, const yaml_event_t *event)
{
    static const qk__yaml_style styles[] = {
        [YAML_ANY_SCALAR_STYLE] = QK__YAML_PLAIN,
        [YAML_PLAIN_SCALAR_STYLE] = QK__YAML_PLAIN,
        [YAML_SINGLE_QUOTED_SCALAR_STYLE] = QK__YAML_SINGLE,
        [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = QK__YAML_DOUBLE,
        [YAML_LITERAL_SCALAR_STYLE] = QK__YAML_LITERAL,
        [YAML_FOLDED_SCALAR_STYLE] = QK__YAML_FOLDED,
    };
    qk__yaml_node *node = new_node(in, QK__YAML_STRING, event);
    if (!node)
        return NULL;
    const char *text = (const char *)event->data.scalar.value;
    node->length = event->data.scalar.length;
    node->style = styles[event->data.scalar.style];
    if (!tag_is_known(event->data.scalar.tag, YAML_STR_TAG))
        return wrong(in, node->place, "tags are not supported: remove it"), NULL;
    if (memchr(text, '\0', node->length))
        return wrong(in, node->place, "the text has a NUL in it: remove it"), NULL;
    node->text = qk__arena_text(&in->out->arena, text, node->length);
    if (!node->text)
        return no_memory(in), NULL;
    if (node->style == QK__YAML_PLAIN && !event->data.scalar.tag)
        qk__yaml_scalar_type(node);
    return add_anchor(in, event->data.scalar.anchor, node) ? node : NULL;
}

/* Nodes of a list or map while they are gathered. */
typedef struct gathered {
    const qk__yaml_node **items;
    size_t count, capacity;
} gathered;

static bool gather(reader *in, gathered *into, const qk__yaml_node *item, qk__yaml_node *parent)
{
    if (into->count == into->capacity) {
        size_t capacity = into->capacity * 2 + 16;
        const qk__yaml_node **grown = realloc(into->items, capacity * sizeof(*grown));
        if (!grown)
            return no_memory(in), false;
        into->items = grown;
        into->capacity = capacity;
    }
    into->items[into->count++] = item;
    parent->weight += item->weight;
    if (parent->weight > QK__YAML_NODES_MAX) {
        qk__yaml_error(in->err, QK_ETOOLARGE, in->out->file, item->place,
                       "the document amounts to more than %zu values: split it",
                       (size_t)QK__YAML_NODES_MAX);
        return false;
    }
    return true;
}

static bool settle(reader *in, qk__yaml_node *parent, const gathered *from)
{
    size_t size = from->count * sizeof(*from->items);
    parent->items = qk__arena_take(&in->out->arena, size + sizeof(*from->items));
    if (!parent->items)
        return no_memory(in), false;
    if (size)
        memcpy(parent->items, from->items, size);
    parent->count = parent->type == QK__YAML_MAP ? from->count / 2 : from->count;
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const qk__yaml_node *left = *(const qk__yaml_node *const *)a;
    const qk__yaml_node *right = *(const qk__yaml_node *const *)b;
    int order = strcmp(left->text, right->text);
    if (order == 0)
        order = left->place.line != right->place.line ? left->place.line - right->place.line
                                                      : left->place.column - right->place.column;
    return order;
}

static bool keys_are_unique(reader *in, const qk__yaml_node *map)
{
    const qk__yaml_node **keys = malloc((map->count + 1) * sizeof(*keys));
    bool good = keys != NULL;
    if (!good)
        no_memory(in);
    for (size_t i = 0; good && i < map->count; i++)
        keys[i] = map->items[2 * i];
    if (good)
        qsort(keys, map->count, sizeof(*keys), compare_keys);
    for (size_t i = 1; good && i < map->count; i++) {
        good = strcmp(keys[i - 1]->text, keys[i]->text) != 0;
        if (!good)
            qk__yaml_error(in->err, QK_EINVAL, in->out->file, keys[i]->place,
                           "the key \"%.60s\" stands here twice, first in line %d: remove one",
                           keys[i]->text, keys[i - 1]->place.line);
    }
    free(keys);
    return good;
}

static bool is_key(reader *in, const qk__yaml_node *node)
{
    if (node->type == QK__YAML_LIST || node->type == QK__YAML_MAP)
        return wrong(in, node->place, "a key must be text, not a list or a map"), false;
    if (strcmp(node->text, "<<") == 0)
        return wrong(in, node->place, "YAML 1.2 has no merge keys: write the keys out"), false;
    return true;
}

/* Up to the event that ends it. */
static bool read_children(reader *in, qk__yaml_node *parent, yaml_event_type_t end)
{
    gathered into = { 0 };
    yaml_event_t event;
    bool good = true;
    while (good) {
        good = next(in, &event) == QK_OK;
        if (!good)
            break;
        if (event.type == end) {
            yaml_event_delete(&event);
            break;
        }
        const qk__yaml_node *node = read_node(in, &event);
        yaml_event_delete(&event);
        good = node && (parent->type == QK__YAML_LIST || into.count % 2 == 1 || is_key(in, node)) &&
               gather(in, &into, node, parent);
    }
    good = good && settle(in, parent, &into);
    free(into.items);
    return good && (parent->type == QK__YAML_LIST || keys_are_unique(in, parent));
}

static const qk__yaml_node *read_container(reader *in, const yaml_event_t *event)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *name =
        map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag = map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    qk__yaml_node *node = new_node(in, map ? QK__YAML_MAP : QK__YAML_LIST, event);
    if (!node)
        return NULL;
    if (!tag_is_known(tag, map ? YAML_MAP_TAG : YAML_SEQ_TAG))
        return wrong(in, node->place, "tags are not supported: remove it"), NULL;
    if (in->depth == QK__YAML_DEPTH_MAX) {
        qk__yaml_error(in->err, QK_ETOOLARGE, in->out->file, node->place,
                       "nested deeper than %d levels: flatten it", QK__YAML_DEPTH_MAX);
        return NULL;
    }
    size_t at = in->anchor_count;
    /* Known, but not usable, until it is complete. */
    if (!add_anchor(in, name, node))
        return NULL;
    if (name)
        in->anchors[at].node = NULL;
    in->depth++;
    bool good = read_children(in, node, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
    in->depth--;
    if (name)
        in->anchors[at].node = node;
    return good ? node : NULL;
}

static const qk__yaml_node *read_node(reader *in, yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return read_alias(in, event);
    case YAML_SCALAR_EVENT:
        return read_scalar(in, event);
    default:
        return read_container(in, event);
    }
}

/* One event that is not part of a value. */
static qk_status expect(reader *in, yaml_event_type_t *type, qk__place *place)
{
    yaml_event_t event;
    qk_status rc = next(in, &event);
    if (rc)
        return rc;
    *type = event.type;
    *place = place_of(event.start_mark);
    yaml_event_delete(&event);
    return QK_OK;
}

static qk_status read_document(reader *in)
{
    yaml_event_type_t type;
    qk__place place;
    yaml_event_t event;
    qk_status rc = expect(in, &type, &place); /* the stream's start */
    if (!rc)
        rc = expect(in, &type, &place);
    if (rc || type == YAML_STREAM_END_EVENT) {
        static const qk__yaml_node empty = { .type = QK__YAML_NULL, .place = { 1, 1 }, .text = "" };
        in->out->root = &empty;
        return rc;
    }
    rc = next(in, &event);
    if (rc)
        return rc;
    in->out->root = read_node(in, &event);
    yaml_event_delete(&event);
    if (!in->out->root)
        return in->err->code;
    rc = expect(in, &type, &place); /* the document's end */
    if (!rc)
        rc = expect(in, &type, &place);
    if (!rc && type != YAML_STREAM_END_EVENT)
        rc = wrong(in, place, "a second document starts here: a file holds one workflow");
    return rc;
}

qk_status qk__yaml_read(qk__yaml *out, const char *file, const char *text, size_t length,
                        qk_error *err)
{
    qk_error unseen = QK_ERROR_INIT;
    reader in = { .out = out, .err = err ? err : &unseen };
    *out = (qk__yaml){ .file = file, .source = text, .source_length = length };
    if (!yaml_parser_initialize(&in.parser))
        return no_memory(&in);
    yaml_parser_set_encoding(&in.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&in.parser, (const unsigned char *)text, length);
    qk_status rc = read_document(&in);
    yaml_parser_delete(&in.parser);
    free(in.anchors);
    return rc;
}

#else

qk_status qk__yaml_read(qk__yaml *out, const char *file, const char *text, size_t length,
                        qk_error *err)
{
    *out = (qk__yaml){ .file = file, .source = text, .source_length = length };
    return qk__error(err, QK_EUNSUPPORTED,
                     "this build reads no workflow files: build with QUEUACK_WORKFLOW");
}

#endif

void qk__yaml_dispose(qk__yaml *tree)
{
    qk__arena_dispose(&tree->arena);
    tree->root = NULL;
}
