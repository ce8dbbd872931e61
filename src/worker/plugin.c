/*
 * Loading plugins; see queuack/plugin.h. The caller's thread, before the pool starts; they are closed
 * when the pool is freed, the last loaded first.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <queuack/plugin.h>

#include "util/error.h"
#include "worker/worker_internal.h"

struct qk__plugin {
    qk__plugin *next;
    void *library, *state;
    const qk_plugin *entry;
};

/* What dlopen says names the file already. */
static qk_status load(void **library, const char *path, qk_error *err)
{
    char *local = NULL;

    if (access(path, R_OK) != 0)
        return qk__error_errno(err, errno == ENOENT ? QK_ENOTFOUND : QK_EINVAL, errno,
                               "cannot load the plugin %s", path);
    if (!strchr(path, '/') && asprintf(&local, "./%s", path) < 0)
        return qk__error(err, QK_ENOMEM, "out of memory for a plugin");
    *library = dlopen(local ? local : path, RTLD_NOW | RTLD_LOCAL);
    free(local);
    if (*library)
        return QK_OK;
    const char *why = dlerror();
    return qk__error(err, QK_EINVAL, "cannot load the plugin: %s", why ? why : path);
}

static qk_status check(const qk_plugin *entry, const char *path, qk_error *err)
{
    if (!entry || entry->magic != QK_PLUGIN_MAGIC)
        return qk__error(err, QK_EINVAL,
                         "%s is not a plugin for Queuack: it must define one with QK_PLUGIN", path);
    if (entry->version != QK_PLUGIN_VERSION)
        return qk__error(err, QK_EVERSION,
                         "%s is a plugin of version %u, and this worker takes version %u: build it "
                         "with the headers of Queuack %s",
                         path, (unsigned)entry->version, (unsigned)QK_PLUGIN_VERSION,
                         QK_VERSION_STRING);
    if (!entry->open)
        return qk__error(err, QK_EINVAL, "the plugin %s has no open function", path);
    return QK_OK;
}

static qk_status open_plugin(qk_worker *pool, qk__plugin *plugin, const char *path, qk_error *err)
{
    qk_status rc = load(&plugin->library, path, err);

    if (rc != QK_OK)
        return rc;
    plugin->entry = dlsym(plugin->library, "queuack_plugin");
    rc = check(plugin->entry, path, err);
    size_t before = pool->handler_count;
    if (rc == QK_OK)
        rc = plugin->entry->open(&plugin->state, pool, err);
    if (rc != QK_OK) {
        pool->handler_count = before; /* what it had registered goes with it */
        dlclose(plugin->library);
    }
    return rc;
}

qk_status qk_worker_plugin(qk_worker *pool, const char *path, qk_error *err)
{
    if (!pool || !path || !*path)
        return qk__error(err, QK_EINVAL, "worker and path must not be NULL or empty");
    pthread_mutex_lock(&pool->lock);
    bool open = pool->state == QK__POOL_OPEN;
    pthread_mutex_unlock(&pool->lock);
    if (!open)
        return qk__error(err, QK_ESTATE, "plugins must be loaded before the worker starts");
    qk__plugin *plugin = calloc(1, sizeof(*plugin));
    if (!plugin)
        return qk__error(err, QK_ENOMEM, "out of memory for a plugin");
    qk_status rc = open_plugin(pool, plugin, path, err);
    if (rc != QK_OK) {
        free(plugin);
        return rc;
    }
    plugin->next = pool->plugins;
    pool->plugins = plugin;
    return QK_OK;
}

void qk__plugins_close(qk_worker *pool)
{
    while (pool->plugins) {
        qk__plugin *plugin = pool->plugins;

        pool->plugins = plugin->next;
        if (plugin->entry->close)
            plugin->entry->close(plugin->state);
        dlclose(plugin->library);
        free(plugin);
    }
}
