/*
 * Workflow files: DAGs written in YAML (docs/workflow.md describes them for people).
 *
 * A file is read, checked as a whole, and becomes a qk_dag that qk_run_submit takes, together with
 * the params of the run, which are in the DAG too. Nothing here needs a store, and nothing is
 * executed. Expressions, ${…} and `when`, are checked here and evaluated where the task runs.
 *
 * Problems name the place: "etl.yaml:12:5: unknown key "neds": did you mean "needs"?" (file as it was
 * given, line, column in characters, both from 1). The first one is reported. A qk_workflow belongs
 * to one thread at a time; strings handed out live until it is freed. In a build without YAML
 * (QUEUACK_WORKFLOW off) loading fails with QK_EUNSUPPORTED.
 *
 * How the work of a task travels in its job
 * -----------------------------------------
 * `cwd` is always absolute: the file's folder, or the task's `cwd` within it. "workflow" holds what
 * a workflow adds to a job; all members but "file" are left out when there is nothing to say:
 *   {"file": "/flows/etl.yaml",
 *    "values": ["params.day", "clean.rows"],   expressions, in order of first appearance
 *    "argv": true,                             elements of argv hold ${…} (a list of arguments)
 *    "secrets": ["API_TOKEN"],                 names in the worker's environment: masked in output
 *    "environment": ["HOME"],                  further names that ${env.NAME} may read
 *    "inputs": ["*.csv"], "outputs": ["raw.csv"],   texts with ${…}, relative to cwd
 *    "item": …}                                of one job of a foreach: what ${item} is
 *
 *   run: line    kind "command" {"argv": ["/bin/sh","-e","-c",LINE], "cwd", "env", "slots", "limits",
 *                "workflow"}. In LINE each ${…} of ours has become a reference to the environment
 *                variable QUEUACK_VALUE_<n>, n from 1, which is to hold values[n - 1] as text.
 *   run: list    kind "command", "argv" as written, each element one argument after substitution.
 *                Values of "env" are texts with ${…} in both, if there is a "workflow".
 *   sql: text    kind "sql" {"sql", "database" (absolute; none: in memory), "cwd", "workflow"}. In
 *                the text each ${…} has become the named parameter $qk_<n>: bind values[n - 1].
 *   kind: name   that kind; "payload" as JSON. If a string in it holds ${…} it travels as
 *                {"$workflow": {…as above}, "payload": …}, and the handler gets what it amounts to.
 *   dag:         kind "dag" {"dag": definition, "with": {…}}, strings in `with` may hold ${…}; from a
 *                file that includes itself {"file", "with"}.
 *   foreach:     kind "foreach" {"over": {"items": […]} or {"value": expression} or {"sql",
 *                "database", "cwd", "workflow"}, "kind", "payload", "job": {…}}: kind and payload
 *                are those of one item's job, as above, to which "workflow"."item" is added; "job" has
 *                the keys of dag-json for its options (max_attempts, timeout_seconds …).
 *
 * A text that is nothing but one ${…} becomes the value itself, with its type; in other texts values
 * are written out: strings as they are, numbers as they were written, lists and objects as JSON. A
 * value that is null or missing there is an error of the task, unless default() gives another.
 */
#ifndef QUEUACK_WORKFLOW_H
#define QUEUACK_WORKFLOW_H

#include <queuack/dag.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qk_workflow qk_workflow;

#define QK_WORKFLOW_BYTES_MAX ((size_t)64 << 20) /* of a file */

typedef struct qk_workflow_options {
    uint32_t version;
    /* Values for params as "NAME=TEXT", converted to the param's type; of one name the last counts. */
    const char *const *params;
    size_t param_count;
    const char *params_json; /* further ones, a JSON object with typed values; NULL: none */
    /* Params that must be given need not be: for looking at a file. The run could not be started. */
    bool params_optional;
    qk_dag_warning_fn warn; /* NULL: nobody is told */
    void *warn_user;
} qk_workflow_options;

#define QK_WORKFLOW_OPTIONS_INIT                                                                   \
    {                                                                                              \
        1, NULL, 0, NULL, false, NULL, NULL                                                        \
    }

/*
 * Reads and checks a file, and the files that its `dag:` tasks name. Expected: QK_EINVAL (with the
 * place), QK_ENOTFOUND (no such file), QK_ETOOLARGE, QK_EIO, QK_ENOMEM.
 */
QK_API qk_status qk_workflow_load(qk_workflow **out, const char *path,
                                  const qk_workflow_options *options, qk_error *err);
/* The same of a text; `path` is the file it stands for, which need not exist, but its folder must. */
QK_API qk_status qk_workflow_parse(qk_workflow **out, const char *text, size_t length,
                                   const char *path, const qk_workflow_options *options,
                                   qk_error *err);
/* NULL-safe; frees the DAG too. */
QK_API void qk_workflow_free(qk_workflow *workflow);

QK_API const char *qk_workflow_name(const qk_workflow *workflow); /* the file's, if it says none */
QK_API const char *qk_workflow_description(const qk_workflow *workflow); /* NULL: none */
QK_API const char *qk_workflow_file(const qk_workflow *workflow); /* absolute */
QK_API const char *qk_workflow_folder(const qk_workflow *workflow); /* absolute */
QK_API const char *qk_workflow_database(const qk_workflow *workflow); /* absolute; NULL: memory */
QK_API const char *qk_workflow_schedule(const qk_workflow *workflow); /* NULL: none */
/* Names of the environment's variables that are secrets. */
QK_API size_t qk_workflow_secret_count(const qk_workflow *workflow);
QK_API const char *qk_workflow_secret(const qk_workflow *workflow, size_t index);

/* The DAG, validated: borrowed, for looking at and submitting. Its nodes are the tasks in the order
 * of the file, then on_success and on_failure. */
QK_API qk_dag *qk_workflow_dag(qk_workflow *workflow);
/* The params of the run as a JSON object; the DAG has them too. */
QK_API const char *qk_workflow_params(const qk_workflow *workflow);

typedef enum qk_param_type {
    QK_PARAM_STRING = 0,
    QK_PARAM_INTEGER = 1,
    QK_PARAM_NUMBER = 2,
    QK_PARAM_BOOLEAN = 3,
    QK_PARAM_LIST = 4,
    QK_PARAM_OBJECT = 5,
} qk_param_type;

/* "string" …; NULL for an unknown value. Static. */
QK_API const char *qk_param_type_name(qk_param_type type);

typedef struct qk_workflow_param {
    const char *name;
    qk_param_type type;
    const char *description; /* NULL: none */
    const char *fallback; /* JSON text of the default; NULL: it must be given */
    const char *choices; /* JSON array text; NULL: any */
    const char *value; /* JSON text it has in this run; NULL: none (params_optional) */
} qk_workflow_param;

QK_API size_t qk_workflow_param_count(const qk_workflow *workflow);
QK_API void qk_workflow_param_get(qk_workflow_param *out, const qk_workflow *workflow,
                                  size_t index);

/* A task as the file has it; node `index` of the DAG. Tasks of sub-DAGs are not among them. */
typedef struct qk_workflow_task {
    const char *name;
    const char *description; /* NULL: none */
    const char *kind; /* of its work: "command", "sql", "dag" or a registered one */
    bool is_foreach; /* the node's kind is then "foreach" */
    size_t input_count, output_count;
    const char *const *inputs;
    const char *const *outputs;
    int line, column; /* of its name */
} qk_workflow_task;

QK_API size_t qk_workflow_task_count(const qk_workflow *workflow);
QK_API void qk_workflow_task_get(qk_workflow_task *out, const qk_workflow *workflow, size_t index);

#ifdef __cplusplus
}
#endif
#endif
