/*
 * Shell lines: each ${…} of ours becomes a reference to an environment variable, quoted as its
 * surroundings need; see scope.h. No value is ever part of the line.
 *
 * The line is read once with a stack of what we are in: the bare line, double quotes, $(…), ${…},
 * a here-document. Where a value could not stand safely (inside single quotes, where no variable is
 * seen; inside `…` and $((…)), where it would be read again as code) it is an error with its place.
 * Should the reading err about a line, a value may be split into words, but it is never executed:
 * all that is ever put in is "${QUEUACK_VALUE_n}".
 *
 * long file: one small function per construct of the shell; apart they would not be readable.
 */
#include <stdio.h>
#include <string.h>

#include "dag/template.h"
#include "util/error.h"
#include "workflow/scope.h"

#define DEPTH_MAX 64
#define HEREDOCS_MAX 8

typedef enum within {
    BARE, /* the line itself */
    SUBSHELL, /* ( … ) and $( … ) */
    BRACE, /* ${ … } of the shell's, outside double quotes */
    DOUBLE,
    BRACE_IN_DOUBLE,
    BACKTICK,
    ARITHMETIC, /* $(( … )) */
    HEREDOC,
} within;

typedef struct frame {
    within in;
    int cases; /* case … esac that are open: their patterns end with a bracket of their own */
    int brackets; /* arithmetic: open ones */
    size_t heredoc; /* which */
} frame;

/* A here-document: announced on one line, its text begins with the next. */
typedef struct heredoc {
    const char *word; /* the line that ends it */
    size_t length;
    bool quoted, tabs; /* nothing is expanded in it; leading tabs go */
} heredoc;

typedef struct lexer {
    qk__buffer *out;
    qk__scope *scope;
    const qk__yaml_node *node;
    const char *text;
    size_t at, length;
    frame stack[DEPTH_MAX];
    int depth; /* index of the top */
    heredoc heredocs[HEREDOCS_MAX];
    size_t heredoc_count, heredoc_next;
    bool ansi; /* $'…' has escapes */
} lexer;

bool qk__is_shell(const char *program)
{
    static const char *const shells[] = { "sh", "bash", "dash", "ash", "ksh", "mksh", "zsh" };
    const char *slash = strrchr(program, '/');
    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(slash ? slash + 1 : program, shells[i]) == 0)
            return true;
    }
    return false;
}

static qk_status wrong(const lexer *lex, const char *what)
{
    const qk__loading *in = lex->scope->task->in;
    size_t span = qk__template_span(lex->text + lex->at, lex->length - lex->at);
    return qk__wrong(in, qk__yaml_place(&in->tree, lex->node, lex->at), QK_EINVAL, "%.*s %s",
                     (int)(span < 80 ? span : 80), lex->text + lex->at, what);
}

static frame *top(lexer *lex)
{
    return &lex->stack[lex->depth];
}

static bool push(lexer *lex, within in)
{
    if (lex->depth + 1 == DEPTH_MAX)
        return false;
    lex->stack[++lex->depth] = (frame){ .in = in };
    return true;
}

static qk_status too_deep(const lexer *lex)
{
    const qk__loading *in = lex->scope->task->in;
    return qk__wrong(in, qk__yaml_place(&in->tree, lex->node, lex->at), QK_EINVAL,
                     "run: nested deeper than %d levels: put it into a script", DEPTH_MAX);
}

static void copy(lexer *lex, size_t count)
{
    if (count > lex->length - lex->at)
        count = lex->length - lex->at;
    qk__buffer_append(lex->out, lex->text + lex->at, count);
    lex->at += count;
}

static bool starts(const lexer *lex, const char *text)
{
    size_t length = strlen(text);
    return length <= lex->length - lex->at && memcmp(lex->text + lex->at, text, length) == 0;
}

static bool is_bare(within in)
{
    return in == BARE || in == SUBSHELL;
}

/* At "${": the bytes of an expression of ours, or 0. What reads as a shell's own (${V:-a.b}) and not
 * as ours is the shell's. */
static size_t our_span(const lexer *lex)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    const char *at = lex->text + lex->at;
    size_t span = qk__template_span(at, lex->length - lex->at);
    qk__condition *parsed = NULL;
    if (!span || !qk__template_is_ours(at + 2, span - 3))
        return 0;
    size_t word = strspn(at + 2, name);
    bool theirs = (word > 0 && strchr(":%#/^,+?=@", at[2 + word])) || at[2] == '#' || at[2] == '!';
    if (theirs && qk__condition_parse(&parsed, at + 2, span - 3, NULL) != QK_OK)
        return 0;
    qk__condition_free(parsed);
    return span;
}

static qk_status put_reference(lexer *lex, size_t span)
{
    size_t index = 0;
    frame *in = top(lex);
    if (in->in == BACKTICK)
        return wrong(lex, "cannot stand inside `…`: use $(…) there");
    if (in->in == ARITHMETIC)
        return wrong(lex,
                     "cannot stand inside $((…)), where it would be read as code: use expr, or "
                     "check it first");
    if (in->in == HEREDOC && lex->heredocs[in->heredoc].quoted)
        return wrong(lex, "cannot stand inside a here-document with a quoted word: nothing is "
                          "expanded there; take the quotes off");
    qk_status rc = qk__scope_value(lex->scope, &index, lex->node, lex->at + 2,
                                   lex->text + lex->at + 2, span - 3);
    if (rc)
        return rc;
    bool quote = is_bare(in->in) || in->in == BRACE;
    qk__buffer_printf(lex->out, "%s${QUEUACK_VALUE_%zu}%s", quote ? "\"" : "", index + 1,
                      quote ? "\"" : "");
    lex->at += span;
    return QK_OK;
}

/* $${: the characters themselves, which the shell must not see as its own either. */
static qk_status put_escape(lexer *lex)
{
    if (top(lex)->in == BACKTICK)
        return wrong(lex, "$${ cannot stand inside `…`: use $(…) there");
    bool plain = top(lex)->in == HEREDOC && lex->heredocs[top(lex)->heredoc].quoted;
    qk__buffer_text(lex->out, plain ? "${" : "\\${");
    lex->at += 3;
    return QK_OK;
}

static qk_status single_quotes(lexer *lex, bool escapes)
{
    copy(lex, 1);
    while (lex->at < lex->length && lex->text[lex->at] != '\'') {
        if (escapes && lex->text[lex->at] == '\\') {
            copy(lex, 2);
        } else if (starts(lex, "$${")) {
            qk__buffer_text(lex->out, "${");
            lex->at += 3;
        } else if (starts(lex, "${") && our_span(lex)) {
            return wrong(lex, "cannot stand inside single quotes, where the shell sees no "
                              "variables: use double quotes");
        } else {
            copy(lex, 1);
        }
    }
    copy(lex, 1);
    return QK_OK;
}

static void comment(lexer *lex)
{
    while (lex->at < lex->length && lex->text[lex->at] != '\n')
        copy(lex, 1);
}

/* At <<: which word ends it, and whether anything is expanded. */
static void announce(lexer *lex)
{
    heredoc made = { .tabs = starts(lex, "<<-") };
    copy(lex, made.tabs ? 3 : 2);
    while (lex->at < lex->length && (lex->text[lex->at] == ' ' || lex->text[lex->at] == '\t'))
        copy(lex, 1);
    if (lex->at == lex->length || lex->heredoc_count == HEREDOCS_MAX)
        return;
    char quote = lex->text[lex->at];
    made.quoted = quote == '\'' || quote == '"' || quote == '\\';
    if (made.quoted)
        copy(lex, 1);
    made.word = lex->text + lex->at;
    while (lex->at < lex->length && !strchr(" \t\n;|&<>()'\"", lex->text[lex->at])) {
        made.length++;
        copy(lex, 1);
    }
    if (made.quoted && quote != '\\')
        copy(lex, 1);
    if (made.length > 0)
        lex->heredocs[lex->heredoc_count++] = made;
}

/* At the start of a line: true if the here-document ended with it. */
static bool ends_heredoc(lexer *lex)
{
    const heredoc *doc = &lex->heredocs[top(lex)->heredoc];
    const char *line = lex->text + lex->at;
    size_t left = lex->length - lex->at;
    size_t tabs = doc->tabs ? strspn(line, "\t") : 0;
    if (left < tabs + doc->length || memcmp(line + tabs, doc->word, doc->length) != 0 ||
        (left > tabs + doc->length && line[tabs + doc->length] != '\n'))
        return false;
    copy(lex, tabs + doc->length);
    lex->depth--;
    return true;
}

/* Behind a newline: here-documents that were announced begin, one behind the other. */
static qk_status new_line(lexer *lex)
{
    copy(lex, 1);
    if (is_bare(top(lex)->in) && lex->heredoc_next < lex->heredoc_count) {
        if (!push(lex, HEREDOC))
            return too_deep(lex);
        top(lex)->heredoc = lex->heredoc_next++;
    }
    if (top(lex)->in != HEREDOC || !ends_heredoc(lex))
        return QK_OK;
    if (lex->heredoc_next == lex->heredoc_count)
        lex->heredoc_next = lex->heredoc_count = 0;
    return QK_OK;
}

/* `case` WORD in, on one line; `esac`. Whole words only. */
static void keyword(lexer *lex)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    const char *word = lex->text + lex->at;
    size_t length = strspn(word, letters);
    size_t line = strcspn(word, "\n;");
    bool alone = (lex->at == 0 || strchr(" \t\n;|&({", word[-1])) &&
                 (word[length] == '\0' || strchr(" \t\n;|&)", word[length]));
    if (alone && length == 4 && memcmp(word, "case", 4) == 0) {
        for (size_t i = 4; i + 3 <= line; i++)
            if (memcmp(word + i, " in", 3) == 0 && (i + 3 == line || strchr(" \t", word[i + 3]))) {
                top(lex)->cases++;
                break;
            }
    } else if (alone && length == 4 && memcmp(word, "esac", 4) == 0 && top(lex)->cases > 0) {
        top(lex)->cases--;
    }
    copy(lex, length);
}

static qk_status dollar(lexer *lex)
{
    within in = top(lex)->in;
    bool doubled = in == DOUBLE || in == BRACE_IN_DOUBLE || in == HEREDOC;
    if (starts(lex, "$${"))
        return put_escape(lex);
    if (starts(lex, "${")) {
        size_t span = our_span(lex);
        if (span)
            return put_reference(lex, span);
        if (!push(lex, doubled ? BRACE_IN_DOUBLE : BRACE))
            return too_deep(lex);
        copy(lex, 2);
    } else if (starts(lex, "$((")) {
        if (!push(lex, ARITHMETIC))
            return too_deep(lex);
        copy(lex, 3);
    } else if (starts(lex, "$(")) {
        if (!push(lex, SUBSHELL))
            return too_deep(lex);
        copy(lex, 2);
    } else if (starts(lex, "$'") && !doubled) {
        copy(lex, 1);
        return single_quotes(lex, lex->ansi);
    } else {
        copy(lex, 1);
    }
    return QK_OK;
}

/* Brackets of $((…)): the last two end it. */
static void arithmetic(lexer *lex, char c)
{
    frame *in = top(lex);
    if (c == ')' && in->brackets == 0 && starts(lex, "))")) {
        copy(lex, 2);
        lex->depth--;
        return;
    }
    in->brackets += c == '(' ? 1 : c == ')' && in->brackets > 0 ? -1 : 0;
    copy(lex, 1);
}

static qk_status bracket(lexer *lex, char c)
{
    frame *in = top(lex);
    if (in->in == ARITHMETIC) {
        arithmetic(lex, c);
        return QK_OK;
    }
    if (c == '(' && is_bare(in->in) && !push(lex, SUBSHELL))
        return too_deep(lex);
    if (c == ')' && in->in == SUBSHELL && in->cases == 0)
        lex->depth--;
    copy(lex, 1);
    return QK_OK;
}

static qk_status quote(lexer *lex, char c)
{
    within in = top(lex)->in;
    if (in == HEREDOC || in == ARITHMETIC) {
        copy(lex, 1);
        return QK_OK;
    }
    if (c == '\'' && (in == DOUBLE || in == BRACE_IN_DOUBLE)) {
        copy(lex, 1);
        return QK_OK;
    }
    if (c == '\'')
        return single_quotes(lex, false);
    if (in == DOUBLE)
        lex->depth--;
    else if (!push(lex, DOUBLE))
        return too_deep(lex);
    copy(lex, 1);
    return QK_OK;
}

static qk_status backtick(lexer *lex)
{
    if (top(lex)->in == BACKTICK)
        lex->depth--;
    else if (!push(lex, BACKTICK))
        return too_deep(lex);
    copy(lex, 1);
    return QK_OK;
}

static bool begins_word(const lexer *lex)
{
    return lex->at == 0 || strchr(" \t\n;|&()", lex->text[lex->at - 1]) != NULL;
}

static qk_status step(lexer *lex)
{
    char c = lex->text[lex->at];
    within in = top(lex)->in;
    bool dead = in == HEREDOC && lex->heredocs[top(lex)->heredoc].quoted;
    if (c == '\n')
        return new_line(lex);
    if (c == '$')
        return dead && !starts(lex, "${") && !starts(lex, "$${") ? (copy(lex, 1), QK_OK)
                                                                 : dollar(lex);
    if (c == '\\' && !dead)
        copy(lex, 2);
    else if (c == '\'' || c == '"')
        return quote(lex, c);
    else if (c == '`' && !dead)
        return backtick(lex);
    else if (c == '(' || c == ')')
        return bracket(lex, c);
    else if (c == '}' && (in == BRACE || in == BRACE_IN_DOUBLE)) {
        lex->depth--;
        copy(lex, 1);
    } else if (c == '#' && is_bare(in) && begins_word(lex))
        comment(lex);
    else if (starts(lex, "<<<"))
        copy(lex, 3);
    else if (starts(lex, "<<") && is_bare(in))
        announce(lex);
    else if (c >= 'a' && c <= 'z' && is_bare(in))
        keyword(lex);
    else
        copy(lex, 1);
    return QK_OK;
}

qk_status qk__compile_shell(qk__buffer *out, qk__scope *scope, const qk__yaml_node *node,
                            const char *shell)
{
    const char *base = strrchr(shell, '/') ? strrchr(shell, '/') + 1 : shell;
    lexer lex = { .out = out,
                  .scope = scope,
                  .node = node,
                  .text = node->text,
                  .length = node->length,
                  .ansi = strcmp(base, "sh") != 0 && strcmp(base, "dash") != 0 };
    bool known = qk__is_shell(shell);
    qk_status rc = QK_OK;
    while (!rc && lex.at < lex.length) {
        if (known) {
            rc = step(&lex);
        } else if (starts(&lex, "${") && our_span(&lex)) {
            rc = wrong(&lex, "goes into lines of a Bourne shell only: pass the value in env");
        } else {
            copy(&lex, 1);
        }
    }
    return rc;
}
