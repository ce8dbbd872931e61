/*
 * The strict Mermaid reader; see mermaid_check.h. Written from Mermaid's flowchart documentation,
 * without the writer in view.
 */
#include "mermaid_check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS 200000
#define CLASSES 32

typedef struct reader {
    const char *at;
    mermaid_counts *counts;
    bool *declared; /* by number of id */
    char classes[CLASSES][32];
    size_t depth;
} reader;

static bool take(reader *in, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(in->at, text, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* n<number>; -1 if it is something else. */
static long id(reader *in)
{
    char *end = NULL;
    if (*in->at != 'n' || in->at[1] < '0' || in->at[1] > '9')
        return -1;
    long number = strtol(in->at + 1, &end, 10);
    in->at = end;
    return number < IDS ? number : -1;
}

static bool known_class(reader *in)
{
    for (size_t i = 0; i < in->counts->classes; i++) {
        size_t length = strlen(in->classes[i]);
        if (strncmp(in->at, in->classes[i], length) == 0 && in->at[length] == '\n') {
            in->at += length;
            return true;
        }
    }
    return false;
}

/* A quoted label: letters, digits, harmless signs, non-ASCII, #<decimal>; and <br/>. */
static bool label(reader *in)
{
    static const char harmless[] = " _.,/-";
    if (!take(in, "\""))
        return false;
    while (*in->at != '"') {
        unsigned char c = (unsigned char)*in->at;
        if (take(in, "<br/>"))
            continue;
        if (c == '#') {
            size_t digits = strspn(in->at + 1, "0123456789");
            if (digits == 0 || in->at[1 + digits] != ';')
                return false;
            in->at += digits + 2;
        } else if (c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                   (c >= 'A' && c <= 'Z') || (c && strchr(harmless, c))) {
            in->at++;
        } else {
            return false;
        }
    }
    return take(in, "\"");
}

static bool colour(reader *in)
{
    size_t digits;
    if (!take(in, "#"))
        return false;
    digits = strspn(in->at, "0123456789abcdefABCDEF");
    in->at += digits;
    return digits == 6 || digits == 3;
}

static bool class_definition(reader *in)
{
    size_t length = strcspn(in->at, " \n");
    if (in->counts->classes == CLASSES || length == 0 || length > 31)
        return false;
    memcpy(in->classes[in->counts->classes], in->at, length);
    in->classes[in->counts->classes++][length] = '\0';
    in->at += length;
    return take(in, " fill:") && colour(in) && take(in, ",stroke:") && colour(in) &&
           take(in, ",color:") && colour(in) && take(in, "\n");
}

static bool declare(reader *in, long number)
{
    if (number < 0 || in->declared[number])
        return false;
    in->declared[number] = true;
    return true;
}

static bool box(reader *in, long number)
{
    static const char *const shapes[][2] = { { "([", "])" }, { "[(", ")]" }, { "[[", "]]" },
                                             { "{{", "}}" }, { "(", ")" },   { "[", "]" } };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (take(in, shapes[i][0])) {
            in->counts->nodes++;
            return declare(in, number) && label(in) && take(in, shapes[i][1]) && take(in, ":::") &&
                   known_class(in) && take(in, "\n");
        }
    }
    return false;
}

static bool edge(reader *in, long from)
{
    if (!take(in, " --> ") && !take(in, " -.-> "))
        return false;
    long to = id(in);
    in->counts->edges++;
    return to >= 0 && in->declared[from] && in->declared[to] && from != to && in->depth == 0 &&
           take(in, "\n");
}

static bool statement(reader *in)
{
    in->at += strspn(in->at, " ");
    if (take(in, "classDef "))
        return class_definition(in);
    if (take(in, "subgraph ")) {
        in->counts->subgraphs++;
        if (++in->depth > in->counts->deepest)
            in->counts->deepest = in->depth;
        return declare(in, id(in)) && take(in, " [") && label(in) && take(in, "]\n");
    }
    if (take(in, "end\n"))
        return in->depth-- > 0;
    if (take(in, "class ")) {
        long number = id(in);
        return number >= 0 && in->declared[number] && take(in, " ") && known_class(in) &&
               take(in, "\n");
    }
    long number = id(in);
    return number >= 0 && (*in->at == ' ' ? edge(in, number) : box(in, number));
}

const char *mermaid_check(mermaid_counts *out, const char *text)
{
    static char problem[200];
    reader in = { .at = text, .counts = out };
    *out = (mermaid_counts){ 0 };
    in.declared = calloc(IDS, sizeof(bool));
    bool good = in.declared && take(&in, "%%{init: {");
    in.at += good ? strcspn(in.at, "\n") : 0;
    good = good && strncmp(in.at - 5, "}}}%%", 5) == 0 && take(&in, "\n") &&
           (take(&in, "flowchart TB\n") || take(&in, "flowchart LR\n"));
    const char *line = in.at;
    while (good && *in.at) {
        line = in.at;
        good = statement(&in);
    }
    free(in.declared);
    if (good && in.depth == 0)
        return NULL;
    snprintf(problem, sizeof(problem), "%.*s", (int)strcspn(line, "\n"), line);
    return problem;
}
