/*
 * The ledger; see ledger.h. Stateless but for the descriptor: appends are atomic.
 */
#include "ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ledger_open(struct ledger *ledger, const char *path)
{
    snprintf(ledger->path, sizeof(ledger->path), "%s", path);
    ledger->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* A kill in the middle of a write may have left half a line behind. */
    return ledger->fd >= 0 && write(ledger->fd, "\n", 1) == 1;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger->fd >= 0)
        close(ledger->fd);
    ledger->fd = -1;
}

void ledger_write_all(struct ledger *ledger, const struct ledger_line *lines, size_t count)
{
    size_t size = count * 64 + 1;
    char *text = malloc(size), id[QK_ID_TEXT_SIZE];
    size_t used = 0;
    if (!text)
        abort();
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, size - used, "%c %s %d\n", lines[i].event,
                                 qk_id_format(id, lines[i].id), lines[i].number);
    if (write(ledger->fd, text, used) != (ssize_t)used || fdatasync(ledger->fd) != 0)
        abort();
    free(text);
}

void ledger_write(struct ledger *ledger, char event, qk_id id, int number)
{
    struct ledger_line line = { id, event, number, 0 };
    ledger_write_all(ledger, &line, 1);
}

struct ledger_line *ledger_read(const char *path, size_t *count)
{
    FILE *file = fopen(path, "re");
    size_t used = 0, room = 1024;
    struct ledger_line *lines = malloc(room * sizeof(*lines));
    char text[128], id[64];
    while (file && lines && fgets(text, sizeof(text), file)) {
        struct ledger_line *line = &lines[used];
        if (!strchr(text, '\n') ||
            sscanf(text, "%c %63s %d", &line->event, id, &line->number) != 3 ||
            qk_id_parse(&line->id, id) != QK_OK)
            continue; /* torn by a kill: never synced */
        line->order = used++;
        if (used == room) {
            room *= 2;
            lines = realloc(lines, room * sizeof(*lines));
        }
    }
    if (file)
        fclose(file);
    if (!lines)
        abort();
    *count = used;
    return lines;
}

static int by_id(const void *a, const void *b)
{
    const struct ledger_line *x = a, *y = b;
    int order = qk_id_compare(x->id, y->id);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

void ledger_sort(struct ledger_line *lines, size_t count)
{
    qsort(lines, count, sizeof(*lines), by_id);
}
