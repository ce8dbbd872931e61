/*
 * See id_list.h.
 */
#include "id_list.h"

#include <stdlib.h>

#include "text.h"

#define PAGE 1000

bool id_list_push(id_list *list, qk_id id)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        qk_id *ids = realloc(list->ids, capacity * sizeof(*ids));
        if (!ids)
            return false;
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return true;
}

static void reverse(id_list *list)
{
    for (size_t i = 0; i < list->count / 2; i++) {
        qk_id id = list->ids[i];
        list->ids[i] = list->ids[list->count - 1 - i];
        list->ids[list->count - 1 - i] = id;
    }
}

qk_status id_list_gather(cli *cli, id_list *out, qk_job_filter *filter)
{
    bool more = true;
    filter->limit = PAGE;
    while (more) {
        qk_job_list *page = NULL;
        qk_status rc = qk_job_list_get(&page, cli->queue, filter, &cli->err);
        for (size_t i = 0; !rc && i < page->count; i++) {
            if (!id_list_push(out, page->items[i].id))
                rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
        }
        more = !rc && page->more && page->count > 0;
        if (more)
            filter->before = page->items[page->count - 1].id;
        qk_job_list_free(page);
        if (rc)
            return rc;
    }
    reverse(out);
    return QK_OK;
}

qk_status id_list_words(cli *cli, id_list *out)
{
    qk_status rc = cli_resolve_words(cli, &out->ids);
    out->count = out->capacity = rc ? 0 : cli->word_count;
    return rc;
}

static qk_status print_dry_json(cli *cli, const id_list *list)
{
    qk_status rc = QK_OK;
    const char *comma = "[";
    if (list->count == 0)
        putchar('[');
    for (size_t i = 0; i < list->count; i++) {
        char id[QK_ID_TEXT_SIZE];
        qk_job *job = NULL;
        rc = qk_job_get(&job, cli->queue, list->ids[i], &cli->err);
        if (rc)
            return rc;
        printf("%s{\"id\":\"%s\",\"status\":\"%s\",\"dry_run\":true}", comma,
               qk_id_format(id, job->id), qk_job_status_name(job->status));
        comma = ",\n";
        qk_job_free(job);
    }
    puts("]");
    return rc;
}

qk_status id_list_print_dry(cli *cli, const id_list *list, const char *verb)
{
    if (cli->json)
        return print_dry_json(cli, list);
    for (size_t i = 0; !cli->quiet && i < list->count; i++) {
        char id[QK_ID_TEXT_SIZE];
        puts(qk_id_format(id, list->ids[i]));
    }
    printf("%zu job%s would be %s\n", list->count, list->count == 1 ? "" : "s", verb);
    return QK_OK;
}

void id_list_dispose(id_list *list)
{
    free(list->ids);
    list->ids = NULL;
    list->count = list->capacity = 0;
}
