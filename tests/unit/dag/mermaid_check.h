/*
 * A strict reader of the Mermaid that pictures are made of: every line must be one of the forms that
 * Mermaid's own grammar takes, labels must hold no character that could end them or start markup, ids
 * must be declared once and classes be defined, subgraphs be closed.
 */
#ifndef TESTS_MERMAID_CHECK_H
#define TESTS_MERMAID_CHECK_H

#include <stddef.h>

typedef struct mermaid_counts {
    size_t nodes, subgraphs, edges, classes, deepest;
} mermaid_counts;

/* NULL if the text is good, else what is wrong with which line (static). */
const char *mermaid_check(mermaid_counts *out, const char *text);

#endif
