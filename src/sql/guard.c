/*
 * The guard; see guard.h.
 *
 * A path is judged by where it leads: resolved with all its links, or, where nothing lies yet, by its
 * resolved folder. A link that leads nowhere is refused, since creating through it would make a file
 * that was not looked at. Hard links are known by their inode.
 */
#include "sql/guard.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXPORTED __attribute__((visibility("default")))

static const char *protected_path;
static atomic_ulong refusals;

void guard_protect(const char *path)
{
    protected_path = path && *path ? path : NULL;
}

unsigned long guard_refusals(void)
{
    return atomic_load(&refusals);
}

static bool is_protected_name(const char *path)
{
    size_t length = strlen(protected_path);

    return strncmp(path, protected_path, length) == 0 &&
           (path[length] == '\0' || path[length] == '.');
}

static bool same_file(const struct stat *status, const char *path)
{
    struct stat other;

    return stat(path, &other) == 0 && other.st_dev == status->st_dev &&
           other.st_ino == status->st_ino;
}

/* By inode: another name of the store or its log. */
static bool is_protected_file(const char *path)
{
    static const char *const suffixes[] = { "", ".wal", ".wal.checkpoint", ".wal.recovery" };
    struct stat status;
    char name[PATH_MAX];

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink < 2)
        return false;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (snprintf(name, sizeof(name), "%s%s", protected_path, suffixes[i]) < PATH_MAX &&
            same_file(&status, name))
            return true;
    }
    return false;
}

/* Where nothing lies yet. */
static bool is_protected_place(const char *path)
{
    char copy[PATH_MAX], folder[PATH_MAX], name[PATH_MAX];
    struct stat status;
    size_t length = strlen(path);

    if (lstat(path, &status) == 0)
        return true; /* a link that leads nowhere */
    if (length >= sizeof(copy))
        return false; /* the call itself will fail */
    memcpy(copy, path, length + 1);
    while (length > 1 && copy[length - 1] == '/')
        copy[--length] = '\0';
    char *slash = strrchr(copy, '/');
    const char *base = slash ? slash + 1 : copy;
    if (slash)
        *slash = '\0';
    const char *parent = !slash ? "." : slash == copy ? "/" : copy;
    if (!realpath(parent, folder))
        return false;
    int size = snprintf(name, sizeof(name), "%s/%s", strcmp(folder, "/") ? folder : "", base);
    return size >= (int)sizeof(name) || is_protected_name(name);
}

/* Sets errno where it refuses. */
static bool refused(const char *path)
{
    char canonical[PATH_MAX];
    int before = errno;
    bool no;

    if (!protected_path || !path)
        return false;
    if (realpath(path, canonical))
        no = is_protected_name(canonical) || is_protected_file(canonical);
    else
        no = is_protected_place(path);
    errno = no ? EACCES : before;
    if (no)
        atomic_fetch_add(&refusals, 1);
    return no;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

EXPORTED int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return refused(path) ? -1 : REAL(open)(path, flags, mode);
}

EXPORTED int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return refused(path) ? -1 : REAL(open64)(path, flags, mode);
}

EXPORTED int creat(const char *path, mode_t mode)
{
    return refused(path) ? -1 : REAL(creat)(path, mode);
}

EXPORTED int creat64(const char *path, mode_t mode)
{
    return refused(path) ? -1 : REAL(creat64)(path, mode);
}

EXPORTED FILE *fopen(const char *path, const char *mode)
{
    return refused(path) ? NULL : REAL(fopen)(path, mode);
}

EXPORTED FILE *fopen64(const char *path, const char *mode)
{
    return refused(path) ? NULL : REAL(fopen64)(path, mode);
}

EXPORTED DIR *opendir(const char *path)
{
    return refused(path) ? NULL : REAL(opendir)(path);
}

EXPORTED int mkdir(const char *path, mode_t mode)
{
    return refused(path) ? -1 : REAL(mkdir)(path, mode);
}

EXPORTED int rmdir(const char *path)
{
    return refused(path) ? -1 : REAL(rmdir)(path);
}

EXPORTED int unlink(const char *path)
{
    return refused(path) ? -1 : REAL(unlink)(path);
}

EXPORTED int remove(const char *path)
{
    return refused(path) ? -1 : REAL(remove)(path);
}

EXPORTED int rename(const char *from, const char *to)
{
    return refused(from) || refused(to) ? -1 : REAL(rename)(from, to);
}

EXPORTED int truncate(const char *path, off_t length)
{
    return refused(path) ? -1 : REAL(truncate)(path, length);
}

EXPORTED int truncate64(const char *path, off64_t length)
{
    return refused(path) ? -1 : REAL(truncate64)(path, length);
}
