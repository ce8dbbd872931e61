/*
 * Plugins: shared objects that bring handlers to a worker, loaded with qk_worker_plugin or
 * `queuack worker --plugin FILE.so`.
 *
 * A plugin defines one object, with the macro below, and needs to be linked with nothing: the calls
 * of queuack.h that it makes are those of the program that loads it.
 *
 *     static qk_status open(void **state, qk_worker *worker, qk_error *err)
 *     {
 *         return qk_worker_handle(worker, "resize", resize, NULL, err);
 *     }
 *     QK_PLUGIN("images", open, NULL);
 *
 * `queuack worker` runs its handlers in processes of their own (qk_worker_plugin_isolated), so that one that
 * crashes costs an attempt. With qk_worker_plugin, or `--in-process`, it runs inside the worker's
 * process and takes it down if it crashes. Either way it has all rights of the worker.
 */
#ifndef QUEUACK_PLUGIN_H
#define QUEUACK_PLUGIN_H

#include <queuack/version.h>
#include <queuack/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises with every change that a plugin built before it would not survive. A worker takes plugins of
 * its own version only; it reads nothing but `magic` and `version` of others. */
#define QK_PLUGIN_VERSION 1
#define QK_PLUGIN_MAGIC 0x716b706cu

typedef struct qk_plugin {
    uint32_t magic, version;
    const char *made_for; /* the version of the headers it was built with, for people */
    const char *name;
    /* Registers handlers; may leave something in *state. Called once per worker that loads it, before
     * the worker starts; an error is the worker's, and nothing is called after it. */
    qk_status (*open)(void **state, qk_worker *worker, qk_error *err);
    /* When no handler runs any more; may be NULL. */
    void (*close)(void *state);
} qk_plugin;

#if defined(__GNUC__)
#define QK_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define QK_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
#define QK_PLUGIN_LINKAGE extern "C"
#else
#define QK_PLUGIN_LINKAGE extern
#endif

/* All that the program given to qk_worker_plugin_isolated has to do, before it starts any thread; its
 * standard input leads to the worker. Returns what main returns. */
QK_API int qk_plugin_host(void);

/* Once per plugin, at file level. */
#define QK_PLUGIN(name, open, close)                                                               \
    QK_PLUGIN_LINKAGE QK_PLUGIN_EXPORT const qk_plugin queuack_plugin;                             \
    const qk_plugin queuack_plugin = {                                                             \
        QK_PLUGIN_MAGIC, QK_PLUGIN_VERSION, QK_VERSION_STRING, name, open, close                   \
    }

#ifdef __cplusplus
}
#endif
#endif
