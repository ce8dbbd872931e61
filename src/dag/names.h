/*
 * Names of nodes: the hash table of a DAG, and what is near a name that is not there.
 */
#ifndef QK_DAG_NAMES_H
#define QK_DAG_NAMES_H

#include "dag/graph.h"

#define QK__QUOTE_SIZE 72
#define QK__SUGGEST_SIZE 120

/* `name` cut for a message, at a character, with "…" if something is missing. Returns `out`. */
char *qk__dag_quote(char out[QK__QUOTE_SIZE], const char *name);

/* Index of the node, or SIZE_MAX. */
size_t qk__names_find(const qk_dag *dag, const char *name, size_t length, uint64_t hash);
/* Makes room for one more entry; false: out of memory. */
bool qk__names_reserve(qk_dag *dag);
/* Enters nodes[index], whose name is not there; room was reserved. */
void qk__names_enter(qk_dag *dag, size_t index);

/* ": did you mean 'clean'?", or what else to do, for a name that no node has. Returns `out`. */
char *qk__names_suggest(char out[QK__SUGGEST_SIZE], const qk_dag *dag, const char *name);
/* The nearest of a list, or NULL if none is near. */
const char *qk__nearest(const char *const *items, size_t count, const char *name);

/* Fills err with "DAG '…', node '…': " and the message; `node` may be NULL. Returns `code`. */
qk_status qk__dag_error(qk_error *err, qk_status code, const qk_dag *dag, const char *node,
                        const char *format, ...) QK_PRINTF(5, 6);

#endif
