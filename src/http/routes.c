/*
 * The routes. One table for every listener: what differs between them is who may use which role.
 */
#include <string.h>

#include "http/request.h"

#define API "api/v1/"

static const qk__route routes[] = {
    { "GET", "healthz", qk__get_health, QK__ROLE_NONE, true },
    { "GET", "readyz", qk__get_ready, QK__ROLE_NONE, true },
    { "GET", API "watch", qk__get_watch, QK__ROLE_READ, false },
    { "POST", API "jobs", qk__post_jobs, QK__ROLE_WORK, false },
    { "GET", API "jobs", qk__get_jobs, QK__ROLE_READ, false },
    { "DELETE", API "jobs", qk__delete_jobs, QK__ROLE_ADMIN, false },
    { "GET", API "jobs/*", qk__get_job, QK__ROLE_READ, false },
    { "GET", API "jobs/*/upstream", qk__get_upstream, QK__ROLE_READ, false },
    { "GET", API "jobs/*/result", qk__get_result, QK__ROLE_READ, false },
    { "POST", API "jobs/cancel", qk__cancel_jobs, QK__ROLE_WORK, false },
    { "POST", API "jobs/retry", qk__retry_jobs, QK__ROLE_WORK, false },
    { "POST", API "jobs/*/cancel", qk__cancel_job, QK__ROLE_WORK, false },
    { "POST", API "jobs/*/retry", qk__retry_job, QK__ROLE_WORK, false },
    { "POST", API "claims", qk__post_claims, QK__ROLE_WORK, false },
    { "POST", API "claims/backlog", qk__post_backlog, QK__ROLE_READ, false },
    { "POST", API "claims/interrupt", qk__post_interrupt, QK__ROLE_WORK, false },
    { "POST", API "claims/release", qk__post_release, QK__ROLE_WORK, false },
    { "POST", API "claims/outcomes", qk__post_outcomes, QK__ROLE_WORK, false },
    { "POST", API "claims/heartbeats", qk__post_heartbeats, QK__ROLE_WORK, false },
    { "POST", API "claims/*/*/expand", qk__post_expand, QK__ROLE_WORK, false },
    { "POST", API "claims/*/*/nodes", qk__post_nodes, QK__ROLE_WORK, false },
    { "POST", API "claims/*/*/progress", qk__post_progress, QK__ROLE_WORK, false },
    { "POST", API "claims/*/*/*", qk__post_outcome, QK__ROLE_WORK, false },
    { "POST", API "runs", qk__post_runs, QK__ROLE_WORK, false },
    { "GET", API "runs", qk__get_runs, QK__ROLE_READ, false },
    { "GET", API "runs/*", qk__get_run, QK__ROLE_READ, false },
    { "GET", API "runs/*/progress", qk__get_run_progress, QK__ROLE_READ, false },
    { "GET", API "runs/*/tree", qk__get_run_tree, QK__ROLE_READ, false },
    { "GET", API "runs/*/jobs", qk__get_run_jobs, QK__ROLE_READ, false },
    { "GET", API "runs/*/nodes/*", qk__get_run_node, QK__ROLE_READ, false },
    { "POST", API "runs/*/cancel", qk__cancel_run, QK__ROLE_WORK, false },
    { "POST", API "runs/*/pause", qk__pause_run, QK__ROLE_WORK, false },
    { "POST", API "runs/*/resume", qk__resume_run, QK__ROLE_WORK, false },
    { "POST", API "runs/*/retry", qk__retry_run, QK__ROLE_WORK, false },
    { "GET", API "queues", qk__get_queues, QK__ROLE_READ, false },
    { "POST", API "queues/*/*", qk__post_queue, QK__ROLE_ADMIN, false },
    { "GET", API "workers", qk__get_workers, QK__ROLE_READ, false },
    { "POST", API "workers", qk__post_worker, QK__ROLE_WORK, false },
    { "GET", API "stats", qk__get_stats, QK__ROLE_READ, false },
    { "GET", API "counters", qk__get_counters, QK__ROLE_READ, false },
    { "GET", API "histograms", qk__get_histograms, QK__ROLE_READ, false },
    { "POST", API "backup", qk__post_backup, QK__ROLE_ADMIN, false },
    { "GET", API "changes", qk__get_changes, QK__ROLE_READ, false },
    { "POST", API "sql", qk__post_sql, QK__ROLE_READ, false },
};

static bool matches(const char *pattern, const char *const *segments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(pattern, "/");
        bool any = length == 1 && *pattern == '*';
        if (!any && (strlen(segments[i]) != length || memcmp(segments[i], pattern, length) != 0))
            return false;
        pattern += length;
        if (*pattern == '/')
            pattern++;
        else if (i + 1 < count)
            return false;
    }
    return *pattern == '\0';
}

const qk__route *qk__route_find(const char *method, const char *const *segments, size_t count,
                                bool *other_method)
{
    *other_method = false;
    for (size_t i = 0; count > 0 && i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!matches(routes[i].pattern, segments, count))
            continue;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        *other_method = true;
    }
    return NULL;
}
