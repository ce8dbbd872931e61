/*
 * DAGs: definitions of work whose steps depend on each other.
 *
 * A qk_dag is built in memory, checked, looked at (levels, critical path, simulation, pictures),
 * and handed to a queue with the calls of run.h. Nothing here needs a store. Its JSON form is what
 * a run keeps as its definition, what an upstream task returns for a dynamic sub-DAG, and what
 * other programs send.
 *
 * A qk_dag may be used by one thread at a time. Strings passed in are copied; strings handed out
 * are borrowed from the DAG and live until it is freed. Errors name the node and the DAG:
 * "DAG 'etl', node 'clean': …". All work is linear in nodes and edges.
 */
#ifndef QUEUACK_DAG_H
#define QUEUACK_DAG_H

#include <queuack/job.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qk_dag qk_dag;

#define QK_DAG_NESTING_MAX 64 /* levels of sub-DAGs, the outermost DAG included */
#define QK_DAG_NODES_DEFAULT_MAX 1000000 /* nodes of a definition, those of sub-DAGs in place too */
#define QK_WHEN_MAX 4096 /* bytes of a condition */
#define QK_NO_NODE SIZE_MAX

/* One line without newline; `dag` is the DAG's name. Called on the thread of the call that found
 * it. Must not call back into the DAG. */
typedef void (*qk_dag_warning_fn)(void *user, const char *dag, const char *message);

typedef struct qk_dag_options {
    uint32_t version;
    const char *description; /* NULL: none */
    const char *metadata; /* JSON object text, or NULL */
    const char *params; /* JSON object text, or NULL */
    /* Off: no warnings, and `kinds` and `factories` are not consulted. What could never run is an
     * error all the same: duplicate and unknown names, cycles, a node without work. */
    bool validate;
    /* On: the first problem is reported where it arises, names of nodes in qk_dag_add_…. Off:
     * problems are gathered; qk_dag_validate tells each through `warn`, then fails. */
    bool fail_fast;
    /* Names that are not in the DAG are taken for nodes of the run it is added to. */
    bool addition;
    const char *const *kinds; /* handlers that exist; NULL: not checked */
    size_t kind_count;
    const char *const *factories; /* factories that exist; NULL: not checked */
    size_t factory_count;
    size_t max_nodes; /* 0: QK_DAG_NODES_DEFAULT_MAX */
    qk_dag_warning_fn warn; /* NULL: nobody is told */
    void *warn_user;
} qk_dag_options;

#define QK_DAG_OPTIONS_INIT                                                                        \
    {                                                                                              \
        1, NULL, NULL, NULL, true, true, false, NULL, 0, NULL, 0, 0, NULL, NULL                    \
    }

/* QK_EINVAL: the name, an option. `warn_user` must outlive the DAG. */
QK_API qk_status qk_dag_new(qk_dag **out, const char *name, const qk_dag_options *options,
                            qk_error *err);
/* NULL-safe. Frees sub-DAGs in place too. */
QK_API void qk_dag_free(qk_dag *dag);

typedef struct qk_node_options {
    uint32_t version;
    /* Every option of a job; NULL: the defaults. `needs` are jobs outside the DAG; `id` and `name`
     * must be left empty; `mode` and `continue_on_failure` apply to `after` and `needs` alike.
     * Options that point to the same struct with the same content are kept once. */
    const qk_job_options *job;
    /* Names of nodes this one depends on, which may be added later, or ids of jobs outside. Named
     * twice counts once. */
    const char *const *after;
    size_t after_count;
    /* A condition on the results of the nodes in `after`, see docs/conditions.md; NULL: none. */
    const char *when;
    const char *store; /* sub-DAGs only: alias of the store to run in; NULL: the parent's */
    /* Sub-DAGs in place only: JSON object text, params for the child run over those of its definition;
     * ${…} in strings is evaluated when the node is ready, see queuack/workflow.h. NULL: none. */
    const char *with;
} qk_node_options;

#define QK_NODE_OPTIONS_INIT                                                                       \
    {                                                                                              \
        1, NULL, NULL, 0, NULL, NULL, NULL                                                         \
    }

/*
 * Adding nodes. `name` NULL: `job_<n>`, n the node's place counted from 1. A name is up to
 * QK_NAME_MAX bytes of UTF-8 without control characters, and is not an id.
 * All fail with QK_EINVAL (which says what), QK_ECONFLICT (the name exists; with fail_fast),
 * QK_ETOOLARGE (more than max_nodes), QK_ESTATE (the DAG was submitted, or is part of another),
 * QK_ENOMEM; the DAG is then as it was.
 */

/* A job of a registered kind. `payload` is JSON text; NULL: null. */
QK_API qk_status qk_dag_add(qk_dag *dag, const char *name, const char *kind, const char *payload,
                            const qk_node_options *options, qk_error *err);
/* A program; `argv` ends with NULL. For cwd, env and slots use qk_dag_add with kind "command". */
QK_API qk_status qk_dag_add_command(qk_dag *dag, const char *name, const char *const *argv,
                                    const qk_node_options *options, qk_error *err);
QK_API qk_status qk_dag_add_sql(qk_dag *dag, const char *name, const char *sql,
                                const qk_node_options *options, qk_error *err);

/* Sub-DAGs: nodes whose work is another run. */

/* A factory registered with a worker builds the child when the node is ready. `params`: JSON text
 * or NULL. */
QK_API qk_status qk_dag_add_factory(qk_dag *dag, const char *name, const char *factory,
                                    const char *params, const qk_node_options *options,
                                    qk_error *err);
/* `child` as the definition. On success it belongs to `dag`: it can no longer be changed, and is
 * freed with it. It is validated first. */
QK_API qk_status qk_dag_add_dag_take(qk_dag *dag, const char *name, qk_dag *child,
                                     const qk_node_options *options, qk_error *err);
/* The result of the node `from` is the definition, as JSON. `from` becomes a dependency. */
QK_API qk_status qk_dag_add_dynamic(qk_dag *dag, const char *name, const char *from,
                                    const qk_node_options *options, qk_error *err);
/* A workflow file, read when the node is ready; `with` as in the options: its params, or NULL. */
QK_API qk_status qk_dag_add_file(qk_dag *dag, const char *name, const char *path, const char *with,
                                 const qk_node_options *options, qk_error *err);

/* What a factory is told. Borrowed for the call. */
typedef struct qk_factory_call {
    qk_id parent_job; /* the job of the sub-DAG node */
    qk_id run; /* the run it belongs to */
    const char *node; /* its name */
    const char *params; /* JSON text */
    int depth; /* of the run to be built: 2 for a sub-DAG of the outermost run */
    qk_queue *queue;
} qk_factory_call;

/* Builds a DAG; on QK_OK *out belongs to the caller. Any other status, or no DAG, fails the node. */
typedef qk_status (*qk_dag_factory_fn)(qk_dag **out, const qk_factory_call *call, void *user,
                                       qk_error *err);

/* Looking at a DAG. */

typedef enum qk_node_type {
    QK_NODE_TASK = 0, /* a registered kind */
    QK_NODE_COMMAND = 1,
    QK_NODE_SQL = 2,
    QK_NODE_DAG = 3,
} qk_node_type;
#define QK_NODE_TYPE_COUNT 4

typedef enum qk_subdag_source {
    QK_SUBDAG_NONE = 0, /* not a sub-DAG */
    QK_SUBDAG_FACTORY = 1,
    QK_SUBDAG_IN_PLACE = 2,
    QK_SUBDAG_DYNAMIC = 3,
    QK_SUBDAG_FILE = 4,
} qk_subdag_source;

typedef struct qk_node {
    const char *name;
    qk_node_type type;
    qk_subdag_source source;
    const char *kind; /* "command", "sql", "dag" or a registered one */
    const char *payload; /* JSON text; of a sub-DAG its params, or NULL */
    const char *subject; /* factory, upstream node, or file of a sub-DAG; else NULL */
    const char *when; /* NULL: none */
    const char *store; /* NULL: the parent's */
    const qk_dag *child; /* of a sub-DAG in place, else NULL */
    const qk_job_options *job; /* never NULL; its needs are the jobs outside */
} qk_node;

QK_API const char *qk_dag_name(const qk_dag *dag);
QK_API size_t qk_dag_node_count(const qk_dag *dag);
/* In the order in which they were added; index < count. */
QK_API void qk_dag_node(qk_node *out, const qk_dag *dag, size_t index);
/* QK_NO_NODE if there is none of that name. */
QK_API size_t qk_dag_find(const qk_dag *dag, const char *name);

/*
 * Checks the whole: names, cycles ("a → b → a"), conditions, work that exists. Also done by
 * everything below and by submitting, once per change. QK_EINVAL, QK_ECONFLICT, QK_ENOMEM.
 */
QK_API qk_status qk_dag_validate(qk_dag *dag, qk_error *err);

/* One allocation; the names are borrowed from the DAG. The caller frees with qk_names_free. */
typedef struct qk_names {
    size_t count;
    const char *const *items;
} qk_names;

/* The order of execution: level 0 has no parents in the DAG, each further level only parents in
 * earlier ones. Level i is names[starts[i]] up to names[starts[i + 1]], in order of adding. */
typedef struct qk_levels {
    size_t count;
    const size_t *starts; /* count + 1 */
    const char *const *names; /* every node once */
} qk_levels;

QK_API qk_status qk_dag_levels(qk_levels **out, qk_dag *dag, qk_error *err);
QK_API void qk_levels_free(qk_levels *levels);

/* The chain of nodes that takes longest, first to last. `durations` by index of node; NULL: all the
 * same, and *total counts nodes in microseconds. `total` may be NULL. Ties: the node added first. */
QK_API qk_status qk_dag_critical_path(qk_names **out, qk_duration *total, qk_dag *dag,
                                      const qk_duration *durations, qk_error *err);
/* All nodes that `name` depends on, or that depend on it, directly or not, in order of adding.
 * QK_ENOTFOUND, with the nearest name. */
QK_API qk_status qk_dag_ancestors(qk_names **out, qk_dag *dag, const char *name, qk_error *err);
QK_API qk_status qk_dag_descendants(qk_names **out, qk_dag *dag, const char *name, qk_error *err);
QK_API void qk_names_free(qk_names *names);

/* A dry run. Nodes of sub-DAGs in place are called "outer/inner". */
typedef struct qk_simulate_options {
    uint32_t version;
    const char *const *failing; /* nodes that fail; for a sub-DAG: fails to expand */
    size_t failing_count;
    const char *const *untrue; /* nodes whose condition is taken to be false */
    size_t untrue_count;
    /* JSON object text, results by node. With it conditions are evaluated; NULL: taken as true. */
    const char *results;
} qk_simulate_options;

#define QK_SIMULATE_OPTIONS_INIT                                                                   \
    {                                                                                              \
        1, NULL, 0, NULL, 0, NULL                                                                  \
    }

typedef struct qk_simulated {
    const char *node;
    qk_job_status status; /* done, failed or skipped */
    const char *skip_reason; /* "condition", or "parent_failed:<node>"; NULL unless skipped */
    size_t level; /* as in qk_dag_levels of its own DAG */
} qk_simulated;

typedef struct qk_simulation {
    bool failed; /* how the run would end */
    size_t count;
    const qk_simulated *nodes; /* in order of adding; a sub-DAG's nodes behind its own */
    size_t totals[QK_JOB_STATUS_COUNT];
} qk_simulation;

/* Jobs outside the DAG are taken as done. QK_ENOTFOUND for a name that does not exist, with the
 * nearest. The caller frees with qk_simulation_free; it borrows nothing. */
QK_API qk_status qk_dag_simulate(qk_simulation **out, qk_dag *dag,
                                 const qk_simulate_options *options, qk_error *err);
QK_API void qk_simulation_free(qk_simulation *simulation);

/* JSON. */

/* The definition on one line, the same text for the same DAG; free() it. */
QK_API qk_status qk_dag_to_json(char **out, qk_dag *dag, qk_error *err);

typedef struct qk_dag_parse_options {
    uint32_t version;
    const char *name; /* for a definition that has none; NULL: it must have one */
    bool forbid_commands; /* refuses commands, SQL and workflow files at every depth: QK_EREFUSED */
    size_t max_bytes; /* 0: 64 MiB */
    int max_depth; /* 0: QK_DAG_NESTING_MAX */
    qk_dag_options dag; /* for what the definition does not say; sub-DAGs in place too */
} qk_dag_parse_options;

#define QK_DAG_PARSE_OPTIONS_INIT                                                                  \
    {                                                                                              \
        1, NULL, false, 0, 0, QK_DAG_OPTIONS_INIT                                                  \
    }

/*
 * Reads a definition (docs/dag-json.md) strictly: unknown keys, wrong types and repeated keys are
 * errors that name DAG, node and key, and suggest the nearest key. The result is validated.
 * QK_EINVAL, QK_ECONFLICT, QK_EREFUSED, QK_ETOOLARGE, QK_ENOMEM.
 */
QK_API qk_status qk_dag_from_json(qk_dag **out, const char *text, size_t length,
                                  const qk_dag_parse_options *options, qk_error *err);

/* Pictures. */

typedef enum qk_picture_format {
    QK_PICTURE_MERMAID = 0,
    QK_PICTURE_DOT = 1,
    QK_PICTURE_JSON = 2, /* nodes, edges, levels and states, for programs that draw */
    QK_PICTURE_SVG = 3, /* QK_EUNSUPPORTED in a build without graphviz */
} qk_picture_format;

/* "mermaid", "dot", "json", "svg". */
QK_API qk_status qk_picture_format_parse(qk_picture_format *out, const char *name);

typedef enum qk_theme {
    QK_THEME_DEFAULT = 0,
    QK_THEME_BLUE_PROFESSIONAL = 1,
    QK_THEME_DARK_MODE = 2,
    QK_THEME_PASTEL = 3,
    QK_THEME_HIGH_CONTRAST = 4,
    QK_THEME_GRAYSCALE = 5,
} qk_theme;
#define QK_THEME_COUNT 6

/* "default", "blue_professional" …; NULL for an unknown value. Static. */
QK_API const char *qk_theme_name(qk_theme theme);
QK_API qk_status qk_theme_parse(qk_theme *out, const char *name);

/* Replaces what the theme says for one class: a status ("done"), a type of node ("task", "command",
 * "sql", "dag"), "folded", "external", "cluster", "background" or "edge". Colours are #rgb or #rrggbb;
 * NULL: the theme's. */
typedef struct qk_colours {
    const char *name;
    const char *fill, *stroke, *text;
} qk_colours;

/* How a node stands in a run. */
typedef struct qk_node_look {
    bool has_status;
    qk_job_status status;
    const char *note; /* a further line under the name, or NULL; borrowed until the next look */
    qk_dag *expanded; /* the child run's definition, where the DAG itself has none; borrowed */
} qk_node_look;

/* `path` is the node's name, in sub-DAGs "outer/inner". *out is zeroed before. */
typedef void (*qk_look_fn)(void *user, qk_node_look *out, const char *path);

typedef struct qk_picture_options {
    uint32_t version;
    qk_picture_format format;
    qk_theme theme;
    const qk_colours *colours;
    size_t colour_count;
    bool left_to_right; /* else from top to bottom */
    int max_depth; /* sub-DAGs below this level are drawn as one node; 0: all are opened */
    size_t fold_fan_out; /* like nodes beside each other from this number on are drawn as one: same
                            parents, children, type and status; 0: never */
    qk_look_fn look; /* NULL: a definition without states */
    void *look_user;
} qk_picture_options;

#define QK_PICTURE_OPTIONS_INIT                                                                    \
    {                                                                                              \
        1, QK_PICTURE_MERMAID, QK_THEME_DEFAULT, NULL, 0, false, 0, 0, NULL, NULL                  \
    }

/* The picture as text; free() it. Names are escaped for the format. QK_EINVAL (an option),
 * QK_EUNSUPPORTED, QK_ENOMEM. SVG is laid out by graphviz, one picture at a time per process. */
QK_API qk_status qk_dag_picture(char **out, qk_dag *dag, const qk_picture_options *options,
                                qk_error *err);

#ifdef __cplusplus
}
#endif
#endif
