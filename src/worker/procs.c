/*
 * The list of running commands; see procs.h. Each record is written by one slot's thread.
 */
#include "worker/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/strays.h"

#define MAGIC "QKPROC\0\1"
#define BOOT_SIZE 40
#define RECORDS_MAX 8192
#define NAME_SIZE (QK_NAME_MAX + 8)

typedef struct record {
    qk_id job;
    _Atomic int32_t attempt; /* 0: nothing runs here */
    _Atomic int32_t pid; /* 0: not known */
    _Atomic uint64_t started; /* 0: not known */
} record;

typedef struct list {
    char magic[8];
    char boot[BOOT_SIZE]; /* process ids mean something within one boot only */
    uint32_t count;
    record records[];
} list;

struct qk__procs {
    int dir, fd;
    char name[NAME_SIZE];
    size_t size;
    list *list;
};

static void read_boot(char out[BOOT_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(out, 0, BOOT_SIZE);
    if (fd < 0)
        return;
    if (read(fd, out, BOOT_SIZE - 1) < 0)
        out[0] = '\0';
    close(fd);
}

static bool take_lock(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static void make_mark(qk__mark *mark, const record *record)
{
    char id[QK_ID_TEXT_SIZE];

    snprintf(mark->job, sizeof(mark->job), "QUEUACK_JOB_ID=%s", qk_id_format(id, record->job));
    snprintf(mark->attempt, sizeof(mark->attempt), "QUEUACK_ATTEMPT=%d",
             (int)atomic_load(&record->attempt));
}

/* Ends what the record names. The id counts only together with the time the process started. */
static size_t end_record(const record *record)
{
    qk__mark mark = { 0 };
    pid_t pid = atomic_load(&record->pid);
    uint64_t started = atomic_load(&record->started);
    bool same = pid > 1 && started > 0 && qk__process_started(pid) == started;

    make_mark(&mark, record);
    return qk__strays_end(qk__strays_find(same ? pid : 0, &mark));
}

static size_t end_list(const list *list, size_t size)
{
    char boot[BOOT_SIZE];
    size_t ended = 0;

    read_boot(boot);
    if (memcmp(list->magic, MAGIC, sizeof(list->magic)) != 0 ||
        memcmp(list->boot, boot, BOOT_SIZE) != 0)
        return 0;
    for (size_t i = 0; i < list->count && i < RECORDS_MAX; i++) {
        if (offsetof(struct list, records) + (i + 1) * sizeof(record) > size)
            break;
        if (atomic_load(&list->records[i].attempt) > 0)
            ended += end_record(&list->records[i]);
    }
    return ended;
}

/* A list nobody holds any more. Returns how many processes it took. */
static size_t settle(int dir, const char *name)
{
    struct stat status;
    size_t ended = 0;
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return 0;
    if (take_lock(fd) && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        size_t size = (size_t)status.st_size;
        void *map =
            size > sizeof(list) ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
        if (map != MAP_FAILED) {
            ended = end_list(map, size);
            munmap(map, size);
        }
        unlinkat(dir, name, 0);
    }
    close(fd);
    return ended;
}

static bool is_list(const char *name)
{
    size_t length = strlen(name);

    return length > 6 && strcmp(name + length - 6, ".procs") == 0;
}

static void settle_others(int dir, const qk__log *log)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    size_t ended = 0;

    if (!folder && copy >= 0)
        close(copy);
    while (folder && (entry = readdir(folder)) != NULL) {
        if (is_list(entry->d_name))
            ended += settle(dir, entry->d_name);
    }
    if (folder)
        closedir(folder);
    if (ended > 0)
        qk__log_write(log, QK_LOG_WARN, "ended %zu process%s that a killed worker had left running",
                      ended, ended == 1 ? "" : "es");
}

/* On a full disk a write into a hole of a mapped file would be deadly. */
static bool reserve(int fd, size_t size)
{
    errno = posix_fallocate(fd, 0, (off_t)size);
    return errno == 0;
}

/* The lock is taken before the file has its name, or another worker could take it for left over. */
static bool make_list(qk__procs *procs, int slots)
{
    procs->size = sizeof(list) + (size_t)slots * sizeof(record);
    procs->fd = openat(procs->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    bool nameless = procs->fd >= 0;
    if (!nameless)
        procs->fd = openat(procs->dir, procs->name,
                           O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (procs->fd < 0 || !take_lock(procs->fd) || !reserve(procs->fd, procs->size))
        return false;
    void *map = mmap(NULL, procs->size, PROT_READ | PROT_WRITE, MAP_SHARED, procs->fd, 0);
    if (map == MAP_FAILED)
        return false;
    procs->list = map;
    memcpy(procs->list->magic, MAGIC, sizeof(procs->list->magic));
    read_boot(procs->list->boot);
    procs->list->count = (uint32_t)slots;
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", procs->fd);
    return !nameless || linkat(AT_FDCWD, path, procs->dir, procs->name, AT_SYMLINK_FOLLOW) == 0;
}

qk__procs *qk__procs_open(int dir, const char *worker_id, int slots, const qk__log *log)
{
    if (dir < 0)
        return NULL;
    settle_others(dir, log);
    qk__procs *procs = calloc(1, sizeof(*procs));
    if (!procs)
        return NULL;
    procs->dir = dir;
    procs->fd = -1;
    snprintf(procs->name, sizeof(procs->name), "%s.procs", worker_id);
    if (make_list(procs, slots))
        return procs;
    qk__log_write(log, QK_LOG_WARN,
                  "worker %s: cannot note which commands run (%s): should it be killed, they are "
                  "not found again",
                  worker_id, strerror(errno));
    qk__procs_close(procs);
    return NULL;
}

void qk__procs_close(qk__procs *procs)
{
    if (!procs)
        return;
    if (procs->list)
        munmap(procs->list, procs->size);
    if (procs->fd >= 0) {
        unlinkat(procs->dir, procs->name, 0);
        close(procs->fd);
    }
    free(procs);
}

void qk__procs_begin(qk__procs *procs, int slot, qk_id job, int32_t attempt)
{
    if (!procs)
        return;
    record *record = &procs->list->records[slot];
    record->job = job;
    atomic_store(&record->pid, 0);
    atomic_store(&record->started, 0);
    atomic_store(&record->attempt, attempt);
}

void qk__procs_started(qk__procs *procs, int slot, pid_t pid)
{
    if (procs)
        atomic_store(&procs->list->records[slot].pid, pid);
}

void qk__procs_timed(qk__procs *procs, int slot, uint64_t started)
{
    if (procs)
        atomic_store(&procs->list->records[slot].started, started);
}

void qk__procs_end(qk__procs *procs, int slot)
{
    if (procs)
        atomic_store(&procs->list->records[slot].attempt, 0);
}
