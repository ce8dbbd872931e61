/*
 * Jobs out of a request, made ready for the store: of POST jobs, and nodes of a run.
 */
#ifndef QK_HTTP_JOB_BATCH_H
#define QK_HTTP_JOB_BATCH_H

#include "http/request.h"
#include "queue/spec.h"

/* Zero-initialise; dispose in any case. Borrows from the request's JSON. */
typedef struct qk__job_batch {
    qk__new_job *jobs;
    size_t count;
    /* private */
    qk_job_spec *specs;
    qk_job_options *options;
    char **payloads; /* dumped here */
    const char ***tags;
    qk_id **needs;
    bool *fresh; /* the caller has just made the id: nothing can be stored under it */
    qk__spec_memory memory;
} qk__job_batch;

/* `json` is one job or an array of them. Messages start with "job <index>: ". */
qk_status qk__job_batch_read(qk__job_batch *batch, const qk__request *request, const json_t *json,
                             qk_error *err);
/* The same of nodes (an array, or NULL: none): each with its node_name, and perhaps a condition and
 * the factory of a sub-DAG. Names are not repeated, parents come before their children, and ids are
 * the caller's own, new ones. */
qk_status qk__node_batch_read(qk__job_batch *batch, const qk__request *request, const json_t *json,
                              qk_error *err);
void qk__job_batch_dispose(qk__job_batch *batch);

#endif
