/*
 * The inside of a qk_dag: nodes as they were added, and the graph made of them.
 *
 * Building only gathers: names go into a hash table, dependencies stay as names. qk__dag_prepare
 * resolves them, checks everything, and lays parents and children out as index lists (CSR), from
 * which submission, levels, simulation and pictures work. Any further node makes it stale.
 *
 * Invariants, once prepared: node i's parents are parents[parent_at[i] … parent_at[i + 1]), without
 * repeats, rising; children likewise; `order` is a topological order of all nodes; no node is its
 * own ancestor. Nothing recurses over nodes; sub-DAGs are nested at most QK_DAG_NESTING_MAX deep.
 * A DAG belongs to one thread at a time; there is no lock.
 */
#ifndef QK_DAG_GRAPH_H
#define QK_DAG_GRAPH_H

#include <queuack/dag.h>

#include "dag/condition.h"
#include "util/arena.h"
#include "util/hash.h"

/* Longest JSON text or description that a definition takes; a store's own limit comes on top. */
#define QK__DAG_TEXT_MAX ((size_t)64 << 20)

/* One dependency as it was written: a name, `length` bytes. Ids go to qk__node.job->needs. */
typedef struct qk__need {
    const char *name;
    uint64_t hash;
    size_t length;
} qk__need;

typedef struct qk__node {
    const char *name;
    const char *kind;
    const char *payload; /* JSON text; of a sub-DAG params or with, or NULL */
    const char *subject; /* factory, upstream node or file of a sub-DAG */
    const char *when;
    const char *store;
    qk_dag *child; /* in place; owned */
    const qk_job_options *job; /* in the DAG's arena, or static defaults; shared by like nodes */
    uint64_t hash;
    size_t name_length, payload_length;
    uint32_t need_at, need_count; /* range in qk_dag.needs */
    uint8_t type; /* qk_node_type */
    uint8_t source; /* qk_subdag_source */
    bool auto_named;
} qk__node;

/* A dependency of an addition on a node of the run it is added to. */
typedef struct qk__outer {
    uint32_t node; /* index of the dependent */
    const char *name;
} qk__outer;

typedef struct qk__graph {
    uint32_t count, edge_count;
    uint32_t *parent_at, *parents; /* count + 1; edge_count */
    uint32_t *child_at, *children; /* count + 1; edge_count */
    uint32_t *order; /* topological, by level and in order of adding within one */
    uint32_t *level; /* by node */
    uint32_t level_count;
    qk__outer *outer; /* additions only, by node */
    uint32_t outer_count;
} qk__graph;

struct qk_dag {
    char *name;
    char *description, *metadata, *params; /* NULL: none */
    qk_dag_options options; /* its strings and lists copied into the arena */
    qk__arena arena; /* every string of the DAG */
    qk__node *nodes;
    size_t count, capacity;
    qk__need *needs;
    size_t need_count, need_capacity;
    uint32_t *table; /* hash table of node indices + 1, open addressing; 0: free */
    size_t table_size; /* a power of two, or 0 */
    qk__hash_key hash_key;
    size_t total; /* nodes including those of sub-DAGs in place */
    int depth; /* levels of sub-DAGs in place, itself included: 1 and up */
    size_t problems; /* found while adding, with fail_fast off; told by qk_dag_validate */
    qk_error first_problem;
    const qk_job_options *last_job; /* the options kept last; like ones are shared */
    bool prepared; /* `graph` is up to date */
    bool sealed; /* submitted, or part of another DAG: no more nodes */
    qk__graph graph;
};

/* Validates and lays out the graph; cheap when nothing changed. On failure the DAG can still be
 * changed. As qk_dag_validate. */
qk_status qk__dag_prepare(qk_dag *dag, qk_error *err);

void qk__graph_dispose(qk__graph *graph);

/* True if all of it is UTF-8. */
bool qk__dag_is_text(const char *text);

/* After this nothing can be added (QK_ESTATE). Sub-DAGs in place are sealed when they are taken. */
void qk__dag_seal(qk_dag *dag);

/*
 * The payload of a node's job, JSON text, free() it. Kind "dag" has
 *   {"factory":"name","params":…} · {"dag":{…},"with":{…}} · {"dag_from":"node"}
 *   · {"file":"path","with":{…}}
 * and "store":"alias" where one is named; other kinds have qk_node.payload.
 */
qk_status qk__dag_payload(char **out, const qk_dag *dag, size_t node, qk_error *err);

/* What the payload of a job of kind "dag" says; strings are owned, see dispose. */
typedef struct qk__subdag_payload {
    qk_subdag_source source;
    char *subject; /* factory, upstream node, or file */
    char *argument; /* params or with: JSON text, or NULL */
    char *store; /* alias, or NULL */
    const char *definition; /* JSON text within the payload, not terminated */
    size_t definition_length;
    const char *workflow; /* JSON object of a foreach's item, likewise; NULL: none */
    size_t workflow_length;
} qk__subdag_payload;

/* Strict. `out` borrows the definition from `payload`. QK_EINVAL, QK_ENOMEM. */
qk_status qk__subdag_payload_parse(qk__subdag_payload *out, const char *payload, size_t length,
                                   qk_error *err);
void qk__subdag_payload_dispose(qk__subdag_payload *payload);

#endif
