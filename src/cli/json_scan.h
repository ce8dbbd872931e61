/*
 * A JSON scanner that makes no tree: it checks a value and says where it stands. Lines of a batch
 * are read with it, several hundred thousand a second, and payloads reach the library as the text
 * they were written in, with numbers of any size intact.
 *
 * Grammar of RFC 8259, valid UTF-8, surrogates in pairs, nesting up to 128 per value: what the
 * library accepts. No allocation, no state beyond the scanner.
 */
#ifndef CLI_JSON_SCAN_H
#define CLI_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct json_span {
    char *at;
    size_t length;
    char type; /* { [ " 0 (a number) t f n */
    bool escaped; /* a string with a backslash in it */
} json_span;

typedef struct json_scan {
    char *start, *at, *end;
    const char *problem; /* NULL: none so far; `at` is where */
} json_scan;

void json_scan_init(json_scan *scan, char *text, size_t length);
bool json_scan_value(json_scan *scan, json_span *out);
/* Steps over '{' or '['. */
bool json_scan_enter(json_scan *scan, char bracket);
/* The next member or element. 1: there is one; 0: that was the end; -1: problem. `first` on the
 * first call. */
int json_scan_member(json_scan *scan, json_span *key, json_span *value, bool first);
int json_scan_element(json_scan *scan, json_span *value, bool first);
/* Nothing but white space is left. */
bool json_scan_end(json_scan *scan);
/* The whole text is one value. */
bool json_scan_all(json_scan *scan, json_span *out);

#endif
