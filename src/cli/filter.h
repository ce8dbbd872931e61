/*
 * The filters that jobs list, retry, cancel, purge and dead … share.
 */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "cli.h"

/* clang-format off */
#define CLI_FILTER_OPTIONS \
    { "queue", 'q', "QUEUE", "Only of this queue", false }, \
    { "kind", 0, "KIND", "Only of this kind", false }, \
    { "run", 0, "RUN", "Only of this run", false }, \
    { "tag", 0, "TAG", "Only with this tag", false }
#define CLI_STATUS_OPTION \
    { "status", 0, "STATUS", "Only with this status, or these: a,b", true }
#define CLI_PAGE_OPTIONS \
    { "limit", 0, "N", "At most so many (default 100)", false }, \
    { "before", 0, "JOB", "Only those made before this one: the next page", false }
#define CLI_OLDER_OPTION \
    { "older-than", 0, "DURATION", "Only those that ended at least this long ago", false }
/* clang-format on */

#define CLI_TERMINAL_STATUSES                                                                      \
    (1u << QK_JOB_DONE | 1u << QK_JOB_FAILED | 1u << QK_JOB_SKIPPED | 1u << QK_JOB_CANCELLED)

/* What was given, before the store is open: everything but --before. Its strings borrow from
 * `cli`. */
qk_status cli_filter_read(cli *cli, qk_job_filter *filter);
/* --before, which may name a job in short. The store is open. */
qk_status cli_filter_before(cli *cli, qk_job_filter *filter);
/* True if anything but --limit was given. */
bool cli_filter_given(const cli *cli);

#endif
