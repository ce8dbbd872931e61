/*
 * What the examples of DAGs share: definitions written as tables, one step a line, a run that is
 * executed here, and how it ended, sub-DAGs inside their nodes. diamond.c shows the same without it.
 */
#ifndef EXAMPLES_STEPS_H
#define EXAMPLES_STEPS_H

#include <string.h>

#include "../example.h"

/* What a worker has: handlers of kinds, factories of sub-DAGs. A table ends with an empty entry. */
typedef struct ability {
    const char *name;
    qk_handler_fn run; /* one of the two */
    qk_dag_factory_fn build;
} ability;

static inline qk_status learn(qk_worker *worker, void *user, qk_error *err)
{
    qk_status rc = QK_OK;
    for (const ability *a = user; !rc && a->name; a++) {
        rc = a->run ? qk_worker_handle(worker, a->name, a->run, NULL, err)
                    : qk_worker_factory(worker, a->name, a->build, NULL, err);
    }
    return rc;
}

/* How a handler fails. */
static inline qk_status fail_with(qk_error *err, const char *message)
{
    snprintf(err->message, sizeof(err->message), "%s", message);
    return err->code = QK_EJOBFAILED;
}

typedef struct step {
    const char *name;
    const char *kind; /* a handler; or one of the two below */
    const char *factory; /* a sub-DAG that this factory builds */
    const char *dag_from; /* a sub-DAG that this step returns */
    const char *payload; /* of a factory: its params */
    const char *after[8];
    const char *when;
    const char *store; /* of a sub-DAG: the alias of the store to run in */
    qk_dependency_mode mode;
    bool continue_on_failure;
    qk_id needs; /* a job outside */
} step;

static inline qk_status add_step(qk_dag *dag, const step *s, qk_error *err)
{
    qk_job_options job = QK_JOB_OPTIONS_INIT;
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    job.mode = s->mode;
    job.continue_on_failure = s->continue_on_failure;
    job.max_attempts = 1;
    job.needs = &s->needs;
    job.needs_count = qk_id_is_none(s->needs) ? 0 : 1;
    options.job = &job;
    options.after = s->after;
    while (options.after_count < 8 && s->after[options.after_count])
        options.after_count++;
    options.when = s->when;
    options.store = s->store;
    if (s->factory)
        return qk_dag_add_factory(dag, s->name, s->factory, s->payload, &options, err);
    if (s->dag_from)
        return qk_dag_add_dynamic(dag, s->name, s->dag_from, &options, err);
    return qk_dag_add(dag, s->name, s->kind, s->payload, &options, err);
}

/* The caller frees. `options` may be NULL. */
static inline qk_status dag_of(qk_dag **out, const char *name, const qk_dag_options *options,
                               const step *steps, size_t count, qk_error *err)
{
    qk_dag *dag = NULL;
    qk_status rc = qk_dag_new(&dag, name, options, err);
    for (size_t i = 0; !rc && i < count; i++)
        rc = add_step(dag, &steps[i], err);
    if (rc)
        qk_dag_free(dag);
    *out = rc ? NULL : dag;
    return rc;
}

#define STEPS(array) (array), sizeof(array) / sizeof((array)[0])

static inline qk_id submit(qk_queue *queue, const char *name, const step *steps, size_t count)
{
    qk_error err = QK_ERROR_INIT;
    qk_dag *dag = NULL;
    qk_id run;
    check(dag_of(&dag, name, NULL, steps, count, &err), &err);
    check(qk_run_submit(&run, queue, dag, NULL, &err), &err);
    qk_dag_free(dag);
    return run;
}

/* In one slot, so that what the handlers print comes in the same order each time. */
static inline void execute(qk_queue *queue, qk_id run, ability *abilities)
{
    qk_error err = QK_ERROR_INIT;
    qk_status rc = qk_run_execute(queue, run, 1, learn, abilities, &err);
    check(rc == QK_EJOBFAILED ? QK_OK : rc, &err); /* how it ended is shown */
}

static inline void show_run(qk_queue *queue, const qk_run_tree *tree, size_t at)
{
    qk_error err = QK_ERROR_INIT;
    qk_job_list *jobs = NULL;
    const qk_run_tree_item *run = &tree->items[at];
    printf("%*s%s: %s\n", 4 * run->depth, "", run->name, qk_run_status_name(run->status));
    check(qk_run_jobs(&jobs, queue, run->id, 0, &err), &err);
    for (size_t i = jobs->count; i-- > 0;) { /* the newest comes first */
        const qk_job *job = &jobs->items[i];
        const char *more = job->skip_reason ? job->skip_reason : job->error;
        printf("%*s  %-10s %s%s%s\n", 4 * run->depth, "", job->node_name,
               qk_job_status_name(job->status), more ? ": " : "", more ? more : "");
        for (size_t k = at + 1; k < tree->count; k++) {
            if (qk_id_compare(tree->items[k].parent_job, job->id) == 0)
                show_run(queue, tree, k);
        }
    }
    qk_job_list_free(jobs);
}

static inline void show(qk_queue *queue, qk_id run)
{
    qk_error err = QK_ERROR_INIT;
    qk_run_tree *tree = NULL;
    check(qk_run_hierarchy(&tree, queue, run, &err), &err);
    show_run(queue, tree, 0);
    qk_run_tree_free(tree);
}

#endif
