/*
 * A workflow file while it is loaded: the tree, what is known of the file so far, and the ways to
 * read single values from it with errors that name the place.
 *
 * Every function that can fail returns a status and has then filled loading->err; texts that
 * outlive the loading are in the workflow's arena. One thread.
 */
#ifndef QK_WORKFLOW_LOADING_H
#define QK_WORKFLOW_LOADING_H

#include <queuack/workflow.h>

#include "util/buffer.h"
#include "workflow/keys.h"
#include "workflow/tree.h"

#define QK__WORKFLOW_TEXT_MAX ((size_t)64 << 20) /* of a payload or list made from a file */

/* A declared param, and where. */
typedef struct qk__param {
    qk_workflow_param open;
    const qk__yaml_node *key;
    bool later; /* `with` has a ${…} for it */
} qk__param;

/* A list of texts in the arena. */
typedef struct qk__texts {
    const char *const *items;
    size_t count;
} qk__texts;

struct qk_workflow {
    qk__arena arena;
    const char *name, *description, *database, *schedule;
    const char *shown; /* the file as it was given, for messages */
    const char *file, *folder; /* absolute */
    qk__param *params;
    size_t param_count;
    const char *params_json;
    qk__texts secrets, environment;
    qk_workflow_task *tasks;
    size_t task_count;
    qk_dag *dag;
};

typedef struct qk__loading qk__loading;

/* How a sub-DAG is reached. */
typedef struct qk__entry {
    const qk__loading *outer; /* the workflow around */
    const qk__yaml_node *with; /* in it; NULL: none */
    qk__place place; /* of `with`, or of the task without one */
} qk__entry;

struct qk__loading {
    qk_workflow *out;
    qk__yaml tree;
    const qk__yaml_node *root; /* the map that is the workflow: the document, or a dag: in place */
    const qk__yaml_node *defaults; /* NULL: none */
    const char **task_names; /* sorted, for dependencies; borrowed from the tree */
    size_t task_count;
    const qk_workflow_options *options;
    const qk__entry *entry; /* NULL: it is no sub-DAG */
    int depth; /* 1 for the outermost */
    qk_error *err;
};

/* reading.c */

/* Fills the error with file, line and column; returns `code`. */
qk_status qk__wrong(const qk__loading *in, qk__place place, qk_status code, const char *format, ...)
    QK_PRINTF(4, 5);
/* The same of a node's place, with QK_EINVAL. */
qk_status qk__wrong_at(const qk__loading *in, const qk__yaml_node *node, const char *format, ...)
    QK_PRINTF(3, 4);
/* "KEY: expected WANTED, not …". */
qk_status qk__wrong_type(const qk__loading *in, const qk__yaml_node *node, const char *key,
                         const char *wanted);
qk_status qk__loading_no_memory(const qk__loading *in);
/* "did you mean "x"?" or the whole list if nothing is near. */
const char *qk__suggest(char out[320], const char *word, const char *const *names, size_t count);

/* It is a map with these keys only. */
qk_status qk__read_map(const qk__loading *in, const qk__yaml_node *node, const char *key,
                       const qk__keys *keys);
/* A text; numbers and the like are taken as they were written. NULL for no node. */
qk_status qk__read_text(const qk__loading *in, const char **out, const qk__yaml_node *node,
                        const char *key);
qk_status qk__read_bool(const qk__loading *in, bool *out, const qk__yaml_node *node,
                        const char *key);
/* A whole number within the range. */
qk_status qk__read_int(const qk__loading *in, int64_t *out, const qk__yaml_node *node,
                       const char *key, int64_t least, int64_t most);
/* "250ms", "10s", "5m", "2h", "1d", or seconds; "none" only where it is allowed. */
qk_status qk__read_duration(const qk__loading *in, qk_duration *out, const qk__yaml_node *node,
                            const char *key, bool none);
/* A list of texts, or one text. */
qk_status qk__read_texts(const qk__loading *in, qk__texts *out, const qk__yaml_node *node,
                         const char *key);
/* Arguments of a command: a list of texts, of which all but the first may be empty. */
qk_status qk__read_words(const qk__loading *in, qk__texts *out, const qk__yaml_node *node);
/* A name that environment variables can have. */
bool qk__is_variable(const char *name);

/* The file has a task of that name. */
bool qk__is_task(const qk__loading *in, const char *name);

/* json.c: a node as JSON. Floats and whole numbers as they were written. */
void qk__wf_put_json(qk__buffer *out, const qk__yaml_node *node);
/* The same as text in the arena. */
qk_status qk__yaml_json(const qk__loading *in, const char **out, const qk__yaml_node *node);
/* "key": with a comma in front unless it is the first of its object. */
void qk__wf_put_key(qk__buffer *out, const char *key);
void qk__wf_put_text(qk__buffer *out, const char *key, const char *text);
/* The buffer's content in the arena; disposes of the buffer. */
qk_status qk__keep_buffer(const qk__loading *in, const char **out, qk__buffer *buffer);

/* params.c: declarations, then values from `with` of the outer workflow and from the options. */
qk_status qk__read_params(qk__loading *in, const qk__yaml_node *node);

/* options.c: `job` starts from QK_JOB_OPTIONS_INIT; keys of the task, else of the defaults. */
qk_status qk__read_job_options(const qk__loading *in, qk_job_options *job,
                               const qk__yaml_node *task);
/* The task's value of a key, else that of the defaults, else NULL. */
const qk__yaml_node *qk__task_field(const qk__loading *in, const qk__yaml_node *task,
                                    const char *key);

/* work.c: the parts of payloads. */

/* What a task does, in the order of its keys. */
typedef enum qk__work {
    QK__WORK_NONE,
    QK__WORK_RUN,
    QK__WORK_SQL,
    QK__WORK_DAG,
    QK__WORK_KIND,
} qk__work;

typedef enum qk__task_role {
    QK__TASK_PLAIN,
    QK__TASK_ON_SUCCESS, /* after all tasks, if none failed */
    QK__TASK_ON_FAILURE, /* if a task failed */
} qk__task_role;

/* A task while it is loaded. */
typedef struct qk__task_load {
    qk__loading *in;
    const qk__yaml_node *key, *map;
    qk__task_role role;
    qk__work work;
    const qk__yaml_node *work_node;
    qk__texts needs, inputs, outputs;
    const char *kind; /* of the work's job */
    const char *payload; /* of the work's job; NULL: null */
    qk_workflow *child; /* of a dag: in place or from a file */
    const char *child_file; /* of a file that includes itself */
    qk_job_options job;
} qk__task_load;

/* Fills kind and payload of everything but a sub-DAG. */
qk_status qk__load_work(qk__task_load *task);
/* Fills child or child_file, and payload with the JSON of `with` (NULL: none). */
qk_status qk__load_subdag(qk__task_load *task);
/* Wraps kind and payload for the kind "foreach". */
qk_status qk__load_foreach(qk__task_load *task, const qk__yaml_node *over);

/* task.c: adds a task to the DAG. */
qk_status qk__load_task(qk__loading *in, const qk__yaml_node *key, const qk__yaml_node *map,
                        qk__task_role role);

/* file.c: everything from in->root on; the head of `out` (file, folder, shown, name) is set. */
qk_status qk__load_root(qk__loading *in);
/* A path relative to the file's folder made absolute, in the arena. */
qk_status qk__absolute(const qk__loading *in, const char **out, const char *path);

/* workflow.c: as the public calls; `entry` is how a sub-DAG is reached, NULL: it is none. */
qk_status qk__workflow_load(qk_workflow **out, const char *path, const qk_workflow_options *options,
                            const qk__entry *entry, qk_error *err);
/* A workflow without content that stands where `like` does; free it with qk_workflow_free. */
qk_workflow *qk__workflow_new_like(const qk_workflow *like, const char *name);

#endif
