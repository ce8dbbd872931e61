/*
 * URLs and paths; see url.h. Nothing is created here. A URL may hold a password, so messages show
 * its scheme only.
 */
#include "queue/url.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/error.h"

typedef struct scheme {
    const char *prefix;
    const char *advice;
} scheme;

static const scheme foreign[] = {
    { "postgres://", "this build has no PostgreSQL store: give the path of a file" },
    { "postgresql://", "this build has no PostgreSQL store: give the path of a file" },
    { "http://", "this build has no client for a server: give the path of a file" },
    { "https://", "this build has no client for a server: give the path of a file" },
    { "unix:", "this build has no client for an owner's socket: give the path of a file" },
};

static qk_status check_scheme(const char *url, qk_error *err)
{
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        if (strncmp(url, foreign[i].prefix, strlen(foreign[i].prefix)) == 0) {
            return qk__error(err, QK_EUNSUPPORTED, "%s… is not supported: %s", foreign[i].prefix,
                             foreign[i].advice);
        }
    }
    size_t length =
        strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (length > 0 && length < 32 && strncmp(url + length, "://", 3) == 0) {
        return qk__error(
            err, QK_EUNSUPPORTED,
            "%.*s://… is not a kind of store: give the path of a file, or " QK__MEMORY_URL,
            (int)length, url);
    }
    return QK_OK;
}

/* The folder resolved, the last part as it is: for a file that does not exist yet. */
static qk_status resolve_new(char **out, const char *path, qk_error *err)
{
    qk_status rc = QK_OK;
    char *folder = NULL, *resolved = NULL, *joined = NULL;
    struct stat info;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (lstat(path, &info) == 0)
        return qk__error(err, QK_ENOTFOUND, "%s: a link to a file that does not exist", path);
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return qk__error(err, QK_EINVAL, "%s: names a folder, not a file", path);
    folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder)
        goto no_memory;
    resolved = realpath(folder, NULL);
    if (!resolved) {
        int problem = errno;
        rc = qk__error_errno(err, problem == ENOENT || problem == ENOTDIR ? QK_ENOTFOUND : QK_EIO,
                             problem, "folder %s of the store", folder);
        goto out;
    }
    if (asprintf(&joined, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name) < 0) {
        joined = NULL;
        goto no_memory;
    }
    *out = joined;
    goto out;
no_memory:
    rc = qk__error(err, QK_ENOMEM, "out of memory");
out:
    free(folder);
    free(resolved);
    return rc;
}

qk_status qk__url_resolve(char **out, const char *url, qk_error *err)
{
    struct stat info;

    if (!url || !*url)
        return qk__error(err, QK_EINVAL, "url: must not be empty: give a path or " QK__MEMORY_URL);
    if (strnlen(url, PATH_MAX) >= PATH_MAX)
        return qk__error(err, QK_EINVAL, "url: longer than %d bytes", PATH_MAX - 1);
    if (strcmp(url, QK__MEMORY_URL) == 0) {
        *out = strdup(url);
        return *out ? QK_OK : qk__error(err, QK_ENOMEM, "out of memory");
    }
    qk_status rc = check_scheme(url, err);
    if (rc)
        return rc;
    char *path = realpath(url, NULL);
    if (!path && errno == ENOENT)
        return resolve_new(out, url, err);
    if (!path)
        return qk__error_errno(err, errno == ENOTDIR ? QK_ENOTFOUND : QK_EIO, errno, "%s", url);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        free(path);
        return qk__error(err, QK_EINVAL, "%s: is a folder, not a file", url);
    }
    *out = path;
    return QK_OK;
}

qk_status qk__temp_dir_resolve(char **out, const char *given, qk_error *err)
{
    struct stat info;
    const char *folder = given;
    const char *preferred = getenv("TMPDIR");

    /* A stale TMPDIR is nobody's wish; a folder that was asked for is. */
    if (!folder || !*folder)
        folder =
            preferred && stat(preferred, &info) == 0 && S_ISDIR(info.st_mode) ? preferred : "/tmp";
    char *path = realpath(folder, NULL);
    if (!path)
        return qk__error_errno(err, QK_EIO, errno, "temp folder %s", folder);
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        free(path);
        return qk__error(err, QK_EINVAL, "temp folder %s: is not a folder", folder);
    }
    *out = path;
    return QK_OK;
}
