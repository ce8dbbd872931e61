/*
 * Processes that stem from a command; see strays.h.
 */
#include "worker/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/buffer.h"

#define ENVIRON_MAX ((size_t)4 << 20)
#define ROUNDS_MAX 200 /* something that forks faster than it is killed is given up */
#define ROUND_MS 20

typedef struct relative {
    pid_t pid, parent, group, session;
    char state;
    uint64_t started;
    bool belongs;
} relative;

typedef struct stray {
    pid_t pid, group;
    int fd; /* pidfd */
} stray;

struct qk__strays {
    pid_t leader;
    bool has_mark;
    qk__mark mark;
    size_t count, capacity;
    stray *items;
};

typedef struct family {
    relative *items;
    size_t count, capacity;
} family;

/* Up to size - 1 bytes, NUL-terminated. */
static ssize_t read_small(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    ssize_t got = read(fd, out, size - 1);
    close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got;
}

/* /proc/PID/stat; the name in it may hold anything, so what counts comes after its last ')': the
 * state, then numbers, of which the first are parent, group and session, and the 19th is when it
 * started. */
static bool read_stat(relative *out, pid_t pid)
{
    char path[32], text[1024];
    unsigned long long numbers[19];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_small(path, text, sizeof(text)) <= 0)
        return false;
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2])
        return false;
    out->state = at[2];
    at += 3;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char *end;
        numbers[i] = strtoull(at, &end, 10); /* a negative one comes out as it should, cast */
        if (end == at)
            return false;
        at = end;
    }
    out->pid = pid;
    out->parent = (pid_t)numbers[0];
    out->group = (pid_t)numbers[1];
    out->session = (pid_t)numbers[2];
    out->started = numbers[18];
    out->belongs = false;
    return true;
}

uint64_t qk__process_started(pid_t pid)
{
    relative found;

    return read_stat(&found, pid) && found.state != 'Z' ? found.started : 0;
}

static bool has_var(const char *environ, size_t length, const char *var)
{
    size_t size = strlen(var) + 1;

    for (const char *at = environ, *end = environ + length; at < end;) {
        const char *stop = memchr(at, '\0', (size_t)(end - at));
        size_t some = stop ? (size_t)(stop - at) + 1 : (size_t)(end - at);
        if (some == size && memcmp(at, var, size) == 0)
            return true;
        at += some;
    }
    return false;
}

/* Only processes of this user can be read, which is who a command can have started. */
static bool is_marked(pid_t pid, const qk__mark *mark)
{
    char path[32], chunk[16384];
    qk__buffer text;
    ssize_t got;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    qk__buffer_init(&text, ENVIRON_MAX);
    while ((got = read(fd, chunk, sizeof(chunk))) > 0 &&
           qk__buffer_append(&text, chunk, (size_t)got)) {
    }
    close(fd);
    bool found = text.length > 0 && has_var(text.data, text.length, mark->job) &&
                 has_var(text.data, text.length, mark->attempt);
    qk__buffer_dispose(&text);
    return found;
}

static bool family_add(family *family, const relative *one)
{
    if (family->count == family->capacity) {
        size_t capacity = family->capacity ? 2 * family->capacity : 256;
        relative *items = realloc(family->items, capacity * sizeof(*items));
        if (!items)
            return false;
        family->items = items;
        family->capacity = capacity;
    }
    family->items[family->count++] = *one;
    return true;
}

/* Every process but this one and those above it, which nothing here may touch. */
static bool read_family(family *family)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    bool good = folder != NULL;

    while (good && (entry = readdir(folder)) != NULL) {
        relative one;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (!isdigit((unsigned char)entry->d_name[0]) || pid <= 1 || pid == getpid())
            continue;
        if (read_stat(&one, pid))
            good = family_add(family, &one);
    }
    if (folder)
        closedir(folder);
    return good;
}

static bool belongs(const qk__strays *strays, const relative *one)
{
    if (strays->leader > 0 && (one->pid == strays->leader || one->session == strays->leader ||
                               one->group == strays->leader || one->parent == strays->leader))
        return true;
    return strays->has_mark && one->state != 'Z' && is_marked(one->pid, &strays->mark);
}

static bool is_child_of_one(const family *family, const relative *child)
{
    for (size_t i = 0; i < family->count; i++) {
        if (family->items[i].belongs && family->items[i].pid == child->parent)
            return true;
    }
    return false;
}

/* Descendants of who belongs belong. */
static void spread(family *family)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < family->count; i++) {
            relative *one = &family->items[i];
            if (!one->belongs && is_child_of_one(family, one))
                one->belongs = more = true;
        }
    }
}

static bool holds(const qk__strays *strays, pid_t pid)
{
    for (size_t i = 0; i < strays->count; i++) {
        if (strays->items[i].pid == pid)
            return true;
    }
    return false;
}

/* Takes hold of it, if it is still the one that was looked at. */
static bool grip(qk__strays *strays, const relative *one)
{
    relative again;

    if (strays->count == strays->capacity) {
        size_t capacity = strays->capacity ? 2 * strays->capacity : 16;
        stray *items = realloc(strays->items, capacity * sizeof(*items));
        if (!items)
            return false;
        strays->items = items;
        strays->capacity = capacity;
    }
    int fd = pidfd_open(one->pid, 0);
    if (fd < 0)
        return true;
    if (!read_stat(&again, one->pid) || again.started != one->started || again.state == 'Z') {
        close(fd);
        return true;
    }
    strays->items[strays->count++] = (stray){ .pid = one->pid, .group = one->group, .fd = fd };
    return true;
}

/* Adds who is there now and not yet in the list. */
static bool look(qk__strays *strays)
{
    family family = { 0 };
    bool good = read_family(&family);

    for (size_t i = 0; i < family.count; i++)
        family.items[i].belongs = belongs(strays, &family.items[i]);
    spread(&family);
    for (size_t i = 0; good && i < family.count; i++) {
        const relative *one = &family.items[i];
        if (one->belongs && one->state != 'Z' && !holds(strays, one->pid))
            good = grip(strays, one);
    }
    free(family.items);
    return good;
}

static void let_go(qk__strays *strays)
{
    for (size_t i = 0; i < strays->count; i++)
        close(strays->items[i].fd);
    strays->count = 0;
}

qk__strays *qk__strays_find(pid_t leader, const qk__mark *mark)
{
    qk__strays *strays = calloc(1, sizeof(*strays));

    if (!strays)
        return NULL;
    strays->leader = leader;
    strays->has_mark = mark != NULL;
    if (mark)
        strays->mark = *mark;
    look(strays); /* what it misses the end looks for again */
    return strays;
}

void qk__strays_signal(const qk__strays *strays, int signal)
{
    for (size_t i = 0; strays && i < strays->count; i++) {
        if (strays->items[i].group != strays->leader || strays->leader == 0)
            pidfd_send_signal(strays->items[i].fd, signal, NULL, 0);
    }
}

static bool has_ended(const stray *stray, int wait_ms)
{
    struct pollfd fd = { .fd = stray->fd, .events = POLLIN };

    return poll(&fd, 1, wait_ms) > 0;
}

bool qk__strays_alive(const qk__strays *strays)
{
    for (size_t i = 0; strays && i < strays->count; i++) {
        if (strays->items[i].pid != strays->leader && !has_ended(&strays->items[i], 0))
            return true;
    }
    return false;
}

static void kill_all(const qk__strays *strays)
{
    for (size_t i = 0; i < strays->count; i++)
        pidfd_send_signal(strays->items[i].fd, SIGKILL, NULL, 0);
    for (size_t i = 0; i < strays->count; i++)
        has_ended(&strays->items[i], ROUND_MS);
}

size_t qk__strays_end(qk__strays *strays)
{
    size_t total = 0;

    if (!strays)
        return 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (!look(strays) && strays->count == 0)
            break;
        if (strays->count == 0)
            break;
        total += strays->count;
        kill_all(strays);
        let_go(strays);
    }
    let_go(strays);
    free(strays->items);
    free(strays);
    return total;
}
