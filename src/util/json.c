/*
 * The JSON check; see json.h. One pass, no recursion, no allocation, no state; any thread.
 *
 * A grammar check in the sense of RFC 8259. Two points where the RFC leaves room are taken the
 * strict way, because readers further on (DuckDB, PostgreSQL) refuse them: an escaped surrogate
 * without its other half, and nesting beyond a limit. Numbers may have any size. Why this is not a
 * library's parser: docs/adr/0002-json-check.md.
 */
#include "util/json.h"

#include <string.h>

#include "util/error.h"
#include "util/utf8.h"

#define MAX_DEPTH 256

typedef struct scanner {
    const char *start, *at, *end;
    const char *problem; /* NULL: none so far; `at` is where */
    size_t depth; /* containers open */
    char closers[MAX_DEPTH]; /* the bracket that ends each */
} scanner;

static bool fail(scanner *scan, const char *problem)
{
    if (!scan->problem)
        scan->problem = scan->at == scan->end ? "unexpected end" : problem;
    return false;
}

static char peek(const scanner *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static void skip_space(scanner *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static bool hex4(scanner *scan, unsigned *out)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        char c = peek(scan);
        if (c >= '0' && c <= '9')
            value = value * 16 + (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + (unsigned)((c | 0x20) - 'a' + 10);
        else
            return fail(scan, "bad \\u escape");
    }
    *out = value;
    return true;
}

/* Behind the backslash. */
static bool escape(scanner *scan)
{
    unsigned unit, low;
    char c = peek(scan);
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return fail(scan, "bad escape");
    scan->at++;
    if (c != 'u')
        return true;
    if (!hex4(scan, &unit))
        return false;
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    if (unit > 0xDBFF || scan->end - scan->at < 2 || scan->at[0] != '\\' || scan->at[1] != 'u')
        return fail(scan, "half a surrogate pair");
    scan->at += 2;
    if (!hex4(scan, &low))
        return false;
    return (low >= 0xDC00 && low <= 0xDFFF) || fail(scan, "half a surrogate pair");
}

/* At the opening quote. */
static bool string(scanner *scan)
{
    const char *end = scan->end;
    scan->at++;
    for (;;) {
        const char *at = scan->at;
        while (at < end && (unsigned char)(*at - 0x20) < 0x60 && *at != '"' && *at != '\\')
            at++;
        scan->at = at;
        if (at == end)
            return fail(scan, "unexpected end");
        if (*at == '"') {
            scan->at++;
            return true;
        }
        if (*at == '\\') {
            scan->at++;
            if (!escape(scan))
                return false;
            continue;
        }
        if ((unsigned char)*at < 0x20)
            return fail(scan, "control character in a string");
        size_t length = qk__utf8_sequence(at, (size_t)(end - at));
        if (length == 0) {
            scan->problem = "not UTF-8"; /* also when the end has cut a character */
            return false;
        }
        scan->at += length;
    }
}

static bool digits(scanner *scan)
{
    const char *first = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at > first || fail(scan, "expected a digit");
}

static bool number(scanner *scan)
{
    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++;
    else if (!digits(scan))
        return false;
    if (peek(scan) == '.') {
        scan->at++;
        if (!digits(scan))
            return false;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        return digits(scan);
    }
    return true;
}

static bool literal(scanner *scan, const char *word, size_t length)
{
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return fail(scan, "unexpected character");
    scan->at += length;
    return true;
}

static bool scalar(scanner *scan)
{
    switch (peek(scan)) {
    case '"':
        return string(scan);
    case 't':
        return literal(scan, "true", 4);
    case 'f':
        return literal(scan, "false", 5);
    case 'n':
        return literal(scan, "null", 4);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return number(scan);
    default:
        return fail(scan, "unexpected character");
    }
}

/* A member's name and the colon. */
static bool key(scanner *scan)
{
    skip_space(scan);
    if (peek(scan) != '"')
        return fail(scan, "expected a key in double quotes");
    if (!string(scan))
        return false;
    skip_space(scan);
    if (peek(scan) != ':')
        return fail(scan, "expected a colon");
    scan->at++;
    return true;
}

/* At an opening bracket. *due: a value comes next; false if the container is empty. */
static bool open_container(scanner *scan, bool *due)
{
    bool object = *scan->at == '{';
    if (scan->depth == MAX_DEPTH)
        return fail(scan, "nested too deep");
    scan->closers[scan->depth++] = object ? '}' : ']';
    scan->at++;
    skip_space(scan);
    *due = peek(scan) != scan->closers[scan->depth - 1];
    return !*due || !object || key(scan);
}

/* Behind a value, or before the end of an empty container: closes all that ends here. */
static void close_containers(scanner *scan)
{
    while (scan->depth > 0) {
        skip_space(scan);
        if (peek(scan) != scan->closers[scan->depth - 1])
            return;
        scan->at++;
        scan->depth--;
    }
}

/* Behind a value within a container that goes on. */
static bool next_item(scanner *scan)
{
    if (peek(scan) != ',')
        return fail(scan, "expected a comma or a closing bracket");
    scan->at++;
    return scan->closers[scan->depth - 1] == ']' || key(scan);
}

/* One value with all that is inside it. */
static bool value(scanner *scan)
{
    for (;;) {
        bool due = false;
        skip_space(scan);
        char c = peek(scan);
        if (!(c == '{' || c == '[' ? open_container(scan, &due) : scalar(scan)))
            return false;
        if (due)
            continue;
        close_containers(scan);
        if (scan->depth == 0)
            return true;
        if (!next_item(scan))
            return false;
    }
}

qk_status qk__json_check(const char *text, size_t length, qk_error *err)
{
    scanner scan; /* not zeroed: that would cost more than many a check */

    scan.start = scan.at = text;
    scan.end = text + length;
    scan.problem = NULL;
    scan.depth = 0;
    if (value(&scan)) {
        skip_space(&scan);
        if (scan.at == scan.end)
            return QK_OK;
        fail(&scan, "something after the value");
    }
    return qk__error(err, QK_EINVAL, "%s at byte %zu", scan.problem,
                     (size_t)(scan.at - scan.start));
}
