/*
 * Finding queuack-sql; see sql_children.h. It is looked for from where this code was loaded from, be
 * it the program or libqueuack.so, so that both can be moved together with it. No state; any thread.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "worker/sql_children.h"

#define NAME "queuack-sql"

/* Seen from the folder of the program or library. The build tree, an installed library, an installed
 * program. */
static const char library_place[] = "../" QUEUACK_LIBDIR "/queuack/";
static const char *const places[] = { "",         "../",         "../../",
                                      "queuack/", library_place, "../lib/queuack/" };

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for the worker");
}

static qk_status take(char **out, const char *path, qk_error *err)
{
    if (access(path, X_OK) != 0)
        return qk__error(err, QK_ENOTFOUND, "%s cannot be run: SQL tasks need the program %s", path,
                         NAME);
    *out = realpath(path, NULL);
    return *out ? QK_OK : no_memory(err);
}

/* The canonical folder this code was loaded from, malloc'd. */
static char *own_folder(void)
{
    static const char here;
    Dl_info info;
    char *path = NULL;

    /* Of a program dladdr knows only what it was called by. */
    if (dladdr(&here, &info) && info.dli_fname && strstr(info.dli_fname, ".so"))
        path = realpath(info.dli_fname, NULL);
    if (!path)
        path = realpath("/proc/self/exe", NULL);
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        *slash = '\0';
    return path;
}

qk_status qk__sql_helper(char **out, const char *given, qk_error *err)
{
    const char *set = given ? given : getenv("QUEUACK_SQL");

    if (set && *set)
        return take(out, set, err);
    char *folder = own_folder();
    qk_status rc = folder ? QK_ENOTFOUND : no_memory(err);
    for (size_t i = 0; folder && rc == QK_ENOTFOUND && i < sizeof(places) / sizeof(places[0]);
         i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s%s", folder, places[i], NAME) < 0)
            path = NULL;
        rc = path ? take(out, path, err) : no_memory(err);
        free(path);
    }
    if (rc == QK_ENOTFOUND)
        qk__error(err, rc,
                  "SQL tasks need the program %s: install it with libqueuack, or name it in "
                  "QUEUACK_SQL",
                  NAME);
    free(folder);
    return rc;
}
