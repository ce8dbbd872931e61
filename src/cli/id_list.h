/*
 * Ids gathered by a filter, before the first of the jobs is changed.
 */
#ifndef CLI_ID_LIST_H
#define CLI_ID_LIST_H

#include "cli.h"

typedef struct id_list {
    qk_id *ids;
    size_t count, capacity;
} id_list;

/* False: out of memory. */
bool id_list_push(id_list *list, qk_id id);
/* Every job that fits, oldest first. The filter's limit and cursor do not apply; its statuses are
 * set. */
qk_status id_list_gather(cli *cli, id_list *out, const qk_job_filter *filter);
/* The words of the command line, which name jobs. */
qk_status id_list_words(cli *cli, id_list *out);
/* What --dry-run says of them: "would be …", or with --json [{"id","status","dry_run":true}]. */
qk_status id_list_print_dry(cli *cli, const id_list *list, const char *verb);
void id_list_dispose(id_list *list);

#endif
