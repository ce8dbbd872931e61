/*
 * Backup and check from the outside: options and paths are validated here, the store does the work.
 */
#include <stdlib.h>
#include <string.h>

#include <queuack/upkeep.h>

#include "queue/queue_internal.h"
#include "queue/url.h"
#include "util/error.h"

/* A file's absolute path; memory has none. */
static qk_status resolve_file(char **out, const char *url, qk_error *err)
{
    qk_status rc = qk__url_resolve(out, url, err);
    if (!rc && strcmp(*out, QK__MEMORY_URL) == 0) {
        free(*out);
        *out = NULL;
        rc = qk__error(err, QK_EINVAL, ":memory: is no file: name one");
    }
    return rc;
}

qk_status qk_backup(qk_queue *queue, const char *path, const qk_backup_options *options,
                    qk_error *err)
{
    static const qk_backup_options defaults = QK_BACKUP_OPTIONS_INIT;
    char *target = NULL;
    if (!options)
        options = &defaults;
    qk_status rc = qk__queue_enter(queue, err);
    if (rc)
        return rc;
    if (options->version != defaults.version)
        rc = qk__error(err, QK_EINVAL, "options: start from QK_BACKUP_OPTIONS_INIT");
    else
        rc = resolve_file(&target, path, err);
    if (!rc)
        rc = qk__queue_store(queue)->ops->backup(qk__queue_store(queue), target, options, err);
    free(target);
    qk__queue_leave(queue);
    return rc;
}

qk_status qk_store_check(const char *url, const qk_check_options *options, qk_error *err)
{
    static const qk_check_options defaults = QK_CHECK_OPTIONS_INIT;
    char *path = NULL;
    char *save_to = NULL;
    char *temp_dir = NULL;
    if (!options)
        options = &defaults;
    if (options->version != defaults.version)
        return qk__error(err, QK_EINVAL, "options: start from QK_CHECK_OPTIONS_INIT");
    qk_check_options own = *options;
    qk_status rc = resolve_file(&path, url, err);
    if (!rc && options->save_to)
        rc = resolve_file(&save_to, options->save_to, err);
    if (!rc)
        rc = qk__temp_dir_resolve(&temp_dir, options->temp_dir, err);
    own.save_to = save_to;
    own.temp_dir = temp_dir;
    if (!rc)
        rc = qk__embedded_check(path, &own, err);
    free(path);
    free(save_to);
    free(temp_dir);
    return rc;
}
