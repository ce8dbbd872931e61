/*
 * SQL: each ${…} of ours becomes a named parameter, which is bound when the task runs; see scope.h.
 * Inside a string, a quoted name or a dollar-quoted text there are no parameters: an error with its
 * place. Comments are left alone.
 */
#include <stdio.h>
#include <string.h>

#include "dag/template.h"
#include "util/error.h"
#include "workflow/scope.h"

typedef struct reader {
    qk__buffer *out;
    qk__scope *scope;
    const qk__yaml_node *node;
    const char *text;
    size_t at, length;
} reader;

static void copy(reader *in, size_t count)
{
    if (count > in->length - in->at)
        count = in->length - in->at;
    qk__buffer_append(in->out, in->text + in->at, count);
    in->at += count;
}

static bool starts(const reader *in, const char *text, size_t length)
{
    return length <= in->length - in->at && memcmp(in->text + in->at, text, length) == 0;
}

static size_t our_span(const reader *in)
{
    size_t span = qk__template_span(in->text + in->at, in->length - in->at);
    return span && qk__template_is_ours(in->text + in->at + 2, span - 3) ? span : 0;
}

static qk_status wrong(const reader *in, const char *what)
{
    const qk__loading *loading = in->scope->task->in;
    size_t span = qk__template_span(in->text + in->at, in->length - in->at);
    return qk__wrong(loading, qk__yaml_place(&loading->tree, in->node, in->at), QK_EINVAL,
                     "%.*s cannot stand inside %s: values are bound, not written into the SQL; "
                     "join texts with ||",
                     (int)(span < 80 ? span : 80), in->text + in->at, what);
}

/* Up to and with `end`; a doubled quote is two texts in a row, which comes to the same. */
static qk_status skip(reader *in, const char *end, size_t length, bool escapes, const char *what)
{
    while (in->at < in->length && !starts(in, end, length)) {
        if (escapes && in->text[in->at] == '\\') {
            copy(in, 2);
        } else if (what && starts(in, "$${", 3)) {
            qk__buffer_text(in->out, "${");
            in->at += 3;
        } else if (what && our_span(in)) {
            return wrong(in, what);
        } else {
            copy(in, 1);
        }
    }
    copy(in, length);
    return QK_OK;
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* At a $: a parameter of ours, an escape, a dollar-quoted text, or something of the SQL's own. */
static qk_status dollar(reader *in)
{
    size_t span = our_span(in), index = 0, tag = 1;
    if (starts(in, "$${", 3)) {
        qk__buffer_text(in->out, "${");
        in->at += 3;
        return QK_OK;
    }
    if (span) {
        qk_status rc = qk__scope_value(in->scope, &index, in->node, in->at + 2,
                                       in->text + in->at + 2, span - 3);
        qk__buffer_printf(in->out, "$qk_%zu", index + 1);
        in->at += span;
        if (in->at < in->length && in_name(in->text[in->at]))
            qk__buffer_text(in->out, " ");
        return rc;
    }
    while (in->at + tag < in->length && in_name(in->text[in->at + tag]))
        tag++;
    if (in->at + tag == in->length || in->text[in->at + tag] != '$') {
        copy(in, tag);
        return QK_OK;
    }
    const char *quote = in->text + in->at;
    copy(in, tag + 1);
    return skip(in, quote, tag + 1, false, "a dollar-quoted text");
}

static qk_status step(reader *in)
{
    char c = in->text[in->at];
    char before = in->at > 0 ? in->text[in->at - 1] : ' ';
    if (c == '$')
        return dollar(in);
    if (c == '\'') {
        bool escapes =
            (before == 'e' || before == 'E') && (in->at < 2 || !in_name(in->text[in->at - 2]));
        copy(in, 1);
        return skip(in, "'", 1, escapes, "quotes");
    }
    if (c == '"') {
        copy(in, 1);
        return skip(in, "\"", 1, false, "quotes");
    }
    if (starts(in, "--", 2))
        return skip(in, "\n", 1, false, NULL);
    if (starts(in, "/*", 2))
        return skip(in, "*/", 2, false, NULL);
    copy(in, 1);
    return QK_OK;
}

qk_status qk__compile_sql(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node)
{
    reader in = { out, scope, node, node->text, 0, node->length };
    qk_status rc = QK_OK;
    while (!rc && in.at < in.length)
        rc = step(&in);
    return rc;
}
