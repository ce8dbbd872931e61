/*
 * The JSON scanner; see json_scan.h.
 */
#include "json_scan.h"

#include <string.h>

#include "text.h"

#define MAX_DEPTH 128

static bool fail(json_scan *scan, const char *problem)
{
    if (!scan->problem)
        scan->problem = scan->at >= scan->end ? "unexpected end" : problem;
    return false;
}

static char peek(const json_scan *scan)
{
    return scan->at < scan->end ? *scan->at : '\0';
}

static void skip_space(json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

static bool scan_hex4(json_scan *scan, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        char c = peek(scan);
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (unsigned)((c | 32) - 'a' + 10);
        else
            return fail(scan, "bad \\u escape");
        *out = *out << 4 | digit;
    }
    return true;
}

static bool scan_escape(json_scan *scan)
{
    unsigned unit;
    char c = peek(scan);
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return fail(scan, "bad escape");
    scan->at++;
    if (c != 'u')
        return true;
    if (!scan_hex4(scan, &unit))
        return false;
    if (unit < 0xD800 || unit > 0xDFFF)
        return true;
    if (unit > 0xDBFF || scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
        return fail(scan, "half a surrogate pair");
    scan->at += 2;
    if (!scan_hex4(scan, &unit))
        return false;
    return (unit >= 0xDC00 && unit <= 0xDFFF) || fail(scan, "half a surrogate pair");
}

static bool scan_string(json_scan *scan, json_span *out)
{
    scan->at++;
    for (;;) {
        while (scan->at < scan->end && (unsigned char)(*scan->at - 0x20) < 0x60 &&
               *scan->at != '"' && *scan->at != '\\')
            scan->at++;
        if (scan->at >= scan->end)
            return fail(scan, "unexpected end");
        unsigned char c = (unsigned char)*scan->at;
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c == '\\') {
            out->escaped = true;
            scan->at++;
            if (!scan_escape(scan))
                return false;
        } else if (c < 0x20) {
            return fail(scan, "control character in a string");
        } else {
            uint32_t code;
            size_t used = cli_utf8(&code, scan->at, (size_t)(scan->end - scan->at));
            if (used == 0)
                return fail(scan, "not UTF-8");
            scan->at += used;
        }
    }
}

static bool scan_digits(json_scan *scan)
{
    char *first = scan->at;
    while (peek(scan) >= '0' && peek(scan) <= '9')
        scan->at++;
    return scan->at > first || fail(scan, "expected a digit");
}

static bool scan_number(json_scan *scan)
{
    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0')
        scan->at++;
    else if (!scan_digits(scan))
        return false;
    if (peek(scan) == '.') {
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if ((peek(scan) | 32) == 'e') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        return scan_digits(scan);
    }
    return true;
}

static bool scan_literal(json_scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return fail(scan, "unexpected character");
    scan->at += length;
    return true;
}

static bool scan_value(json_scan *scan, json_span *out, int depth);

static bool scan_container(json_scan *scan, int depth)
{
    char open = *scan->at;
    if (depth == MAX_DEPTH)
        return fail(scan, "nested too deep");
    json_span key;
    json_span value;
    bool first = true;
    scan->at++;
    for (;; first = false) {
        skip_space(scan);
        if (peek(scan) == (open == '{' ? '}' : ']')) {
            scan->at++;
            return true;
        }
        if (!first) {
            if (peek(scan) != ',')
                return fail(scan, "expected a comma or a closing bracket");
            scan->at++;
            skip_space(scan);
        }
        if (open == '{') {
            if (peek(scan) != '"')
                return fail(scan, "expected a key in double quotes");
            if (!scan_string(scan, &key))
                return false;
            skip_space(scan);
            if (peek(scan) != ':')
                return fail(scan, "expected a colon");
            scan->at++;
        }
        if (!scan_value(scan, &value, depth + 1))
            return false;
    }
}

static bool scan_value(json_scan *scan, json_span *out, int depth)
{
    skip_space(scan);
    char c = peek(scan);
    bool good;
    out->at = scan->at;
    out->type = c == '-' || (c >= '0' && c <= '9') ? '0' : c;
    out->escaped = false;
    switch (out->type) {
    case '{':
    case '[':
        good = scan_container(scan, depth);
        break;
    case '"':
        good = scan_string(scan, out);
        break;
    case '0':
        good = scan_number(scan);
        break;
    case 't':
        good = scan_literal(scan, "true");
        break;
    case 'f':
        good = scan_literal(scan, "false");
        break;
    case 'n':
        good = scan_literal(scan, "null");
        break;
    default:
        good = fail(scan, "unexpected character");
    }
    out->length = (size_t)(scan->at - out->at);
    return good;
}

void json_scan_init(json_scan *scan, char *text, size_t length)
{
    *scan = (json_scan){ text, text, text + length, NULL };
}

bool json_scan_value(json_scan *scan, json_span *out)
{
    return scan_value(scan, out, 0);
}

bool json_scan_enter(json_scan *scan, char bracket)
{
    skip_space(scan);
    if (peek(scan) != bracket)
        return fail(scan, bracket == '{' ? "expected an object" : "expected an array");
    scan->at++;
    return true;
}

/* Up to the next member or element: 1, 0 at the closing bracket, -1. */
static int step(json_scan *scan, char closing, bool first)
{
    skip_space(scan);
    if (peek(scan) == closing) {
        scan->at++;
        return 0;
    }
    if (first)
        return 1;
    if (peek(scan) != ',') {
        fail(scan, "expected a comma or a closing bracket");
        return -1;
    }
    scan->at++;
    skip_space(scan);
    return 1;
}

int json_scan_member(json_scan *scan, json_span *key, json_span *value, bool first)
{
    int rc = step(scan, '}', first);
    if (rc != 1)
        return rc;
    if (peek(scan) != '"') {
        fail(scan, "expected a key in double quotes");
        return -1;
    }
    if (!json_scan_value(scan, key))
        return -1;
    skip_space(scan);
    if (peek(scan) != ':') {
        fail(scan, "expected a colon");
        return -1;
    }
    scan->at++;
    return json_scan_value(scan, value) ? 1 : -1;
}

int json_scan_element(json_scan *scan, json_span *value, bool first)
{
    int rc = step(scan, ']', first);
    if (rc != 1)
        return rc;
    return json_scan_value(scan, value) ? 1 : -1;
}

bool json_scan_end(json_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end || fail(scan, "something follows the value");
}

bool json_scan_all(json_scan *scan, json_span *out)
{
    return json_scan_value(scan, out) && json_scan_end(scan);
}
