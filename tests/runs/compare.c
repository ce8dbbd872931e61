/*
 * Every job and run of the model with what the engine, or the disk, says of it.
 */
#include "world.h"

#include <queuack/run.h>
#include <string.h>

static const qk_run_status statuses[] = { QK_RUN_PENDING, QK_RUN_RUNNING, QK_RUN_PAUSED,
                                          QK_RUN_DONE,    QK_RUN_FAILED,  QK_RUN_CANCELLED };

static void compare_skip(struct world *world, int job, const qk__row *row)
{
    const struct model_job *wanted = &world->model.jobs[job];
    const char *reason = memmem(row->ext.data, row->ext.length, "parent_failed:", 14);
    if ((wanted->skip == MODEL_FAILURE) != (reason != NULL))
        disagree(world, "job %d is skipped for %s", job,
                 reason != NULL ? "a failure" : "a condition");
    if (reason == NULL)
        return;
    char text[QK_ID_TEXT_SIZE] = "";
    qk_id id;
    memcpy(text, reason + 14, QK_ID_TEXT_SIZE - 1);
    int cause = qk_id_parse(&id, text) == QK_OK ? job_number(world, id) : -1;
    if (cause < 0)
        disagree(world, "job %d is skipped for a job that is not there", job);
    if (!model_name_cause(&world->model, job, cause))
        disagree(world, "job %d is skipped for job %d, which did not fail first", job, cause);
}

static void compare_job(struct world *world, int job)
{
    const struct model_job *wanted = &world->model.jobs[job];
    qk__row live;
    qk__buffer ext;
    qk__buffer_init(&ext, 1 << 20);
    const qk__row *row = &live;
    if (!qk__engine_get(world->engine, world->jobs[job], &live, &ext))
        row = disk_job(world, world->jobs[job]);
    if (row == NULL)
        disagree(world, "job %d is lost", job);
    qk_job_status status = row->status == QK_JOB_DELAYED ? QK_JOB_PENDING : row->status;
    if (status != wanted->status)
        disagree(world, "job %d is %s, the model says %s", job, qk_job_status_name(status),
                 qk_job_status_name(wanted->status));
    if (wanted->waiting != disk_has(row, "\"wt\":1"))
        disagree(world, "job %d %s", job, wanted->waiting ? "does not wait" : "waits");
    if (status == QK_JOB_SKIPPED)
        compare_skip(world, job, row);
    if (status == QK_JOB_CLAIMED && (row->claimed_by.data == NULL || row->attempt < 1))
        disagree(world, "job %d is claimed by nobody", job);
    qk__buffer_dispose(&ext);
}

static void compare_run(const struct world *world, int run)
{
    qk__run_look look;
    const qk__row *row = disk_run(world, world->runs[run]);
    int status = row == NULL ? -1 : row->status;
    if (qk__engine_run_look(world->engine, world->runs[run], &look)) {
        status = look.status;
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++) {
            uint64_t count = 0;
            for (int i = 0; i < world->model.job_count; i++) {
                const struct model_job *job = &world->model.jobs[i];
                count += job->run == run && job->status == (qk_job_status)s;
            }
            uint64_t seen = look.counts[s];
            if (s == QK_JOB_PENDING)
                seen += look.counts[QK_JOB_DELAYED];
            if (s != QK_JOB_DELAYED && seen != count)
                disagree(world, "run %d counts %llu %s, the model %llu", run,
                         (unsigned long long)seen, qk_job_status_name((qk_job_status)s),
                         (unsigned long long)count);
        }
    }
    qk_run_status wanted = statuses[model_run_status(&world->model, run)];
    if (status != (int)wanted)
        disagree(world, "run %d is %s, the model says %s", run,
                 status < 0 ? "nowhere" : qk_run_status_name((qk_run_status)status),
                 qk_run_status_name(wanted));
}

void compare(struct world *world)
{
    const char *wrong = model_check(&world->model);
    if (wrong == NULL)
        wrong = qk__engine_check(world->engine);
    if (wrong != NULL)
        disagree(world, "%s", wrong);
    for (int i = 0; i < world->model.job_count; i++) {
        if (!world->purged[i])
            compare_job(world, i);
    }
    for (int i = 0; i < world->model.run_count; i++)
        compare_run(world, i);
}
