/*
 * Bounding what is kept of long outputs; see logs.h. Any thread; two at once do no harm.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "worker/logs.h"

#define KEPT_S (7 * 24 * 3600)
#define KEPT_BYTES ((uint64_t)256 << 20)

typedef struct kept {
    char name[QK__LOG_NAME_SIZE];
    time_t changed;
    uint64_t bytes;
} kept;

typedef struct kept_list {
    kept *items;
    size_t count, capacity;
    uint64_t bytes;
} kept_list;

static bool is_log(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && length < QK__LOG_NAME_SIZE && strcmp(name + length - 4, ".log") == 0;
}

static void add(kept_list *list, const char *name, const struct stat *status)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        kept *items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
            return; /* a later sweep has more luck */
        list->items = items;
        list->capacity = capacity;
    }
    kept *one = &list->items[list->count++];
    strcpy(one->name, name);
    one->changed = status->st_mtime;
    one->bytes = (uint64_t)status->st_blocks * 512;
    list->bytes += one->bytes;
}

static int older_first(const void *a, const void *b)
{
    const kept *left = a, *right = b;

    return left->changed < right->changed ? -1 : left->changed > right->changed;
}

static bool is_live(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool live = fd >= 0 && qk__log_is_live(fd);

    if (fd >= 0)
        close(fd);
    return live;
}

static void list_all(kept_list *list, int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    struct stat status;

    if (!folder && copy >= 0)
        close(copy);
    while (folder && (entry = readdir(folder)) != NULL) {
        if (is_log(entry->d_name) && fstatat(dir, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            add(list, entry->d_name, &status);
    }
    if (folder)
        closedir(folder);
}

void qk__logs_sweep(int dir)
{
    kept_list list = { 0 };
    time_t now = time(NULL);

    if (dir < 0)
        return;
    list_all(&list, dir);
    if (list.count > 1)
        qsort(list.items, list.count, sizeof(*list.items), older_first);
    for (size_t i = 0; i < list.count; i++) {
        const kept *one = &list.items[i];
        bool old = now - one->changed > KEPT_S;
        if (!old && list.bytes <= KEPT_BYTES)
            break;
        if (is_live(dir, one->name))
            continue;
        unlinkat(dir, one->name, 0);
        list.bytes -= one->bytes;
    }
    free(list.items);
}
