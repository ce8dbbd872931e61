/*
 * Names of job statuses and dependency modes. Constant tables; any thread.
 */
#include <queuack/job.h>

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const statuses[QK_JOB_STATUS_COUNT] = {
    [QK_JOB_PENDING] = "pending",     [QK_JOB_DELAYED] = "delayed", [QK_JOB_CLAIMED] = "claimed",
    [QK_JOB_DONE] = "done",           [QK_JOB_FAILED] = "failed",   [QK_JOB_SKIPPED] = "skipped",
    [QK_JOB_CANCELLED] = "cancelled",
};

static const char *const modes[] = {
    [QK_MODE_ALL] = "all",
    [QK_MODE_ANY] = "any",
    [QK_MODE_ALL_DONE] = "all_done",
    [QK_MODE_ONE_FAILED] = "one_failed",
    [QK_MODE_NONE_FAILED] = "none_failed",
};

/* The index of `name`, or `count`. */
static size_t find(const char *const *table, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && (!name || strcmp(table[i], name) != 0))
        i++;
    return i;
}

const char *qk_job_status_name(qk_job_status status)
{
    return (unsigned)status < COUNT(statuses) ? statuses[status] : NULL;
}

qk_status qk_job_status_parse(qk_job_status *out, const char *name)
{
    size_t index = find(statuses, COUNT(statuses), name);
    if (!out || index == COUNT(statuses))
        return QK_EINVAL;
    *out = (qk_job_status)index;
    return QK_OK;
}

bool qk_job_status_is_terminal(qk_job_status status)
{
    return status == QK_JOB_DONE || status == QK_JOB_FAILED || status == QK_JOB_SKIPPED ||
           status == QK_JOB_CANCELLED;
}

const char *qk_dependency_mode_name(qk_dependency_mode mode)
{
    return (unsigned)mode < COUNT(modes) ? modes[mode] : NULL;
}

qk_status qk_dependency_mode_parse(qk_dependency_mode *out, const char *name)
{
    size_t index = find(modes, COUNT(modes), name);
    if (!out || index == COUNT(modes))
        return QK_EINVAL;
    *out = (qk_dependency_mode)index;
    return QK_OK;
}
