/*
 * Starting an SQL process; see sql_child.h. It gets its control socket as descriptor 0, the folder of
 * its tasks, and of the environment only what concerns language, time zone and loading: the rest is
 * none of SQL's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "sql/protocol.h"
#include "util/error.h"
#include "util/frame.h"
#include "worker/spawn.h"
#include "worker/sql_child.h"

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for SQL tasks");
}

void qk__sql_child_free(qk__sql_child *child)
{
    if (child->control >= 0)
        close(child->control);
    if (child->pidfd >= 0)
        close(child->pidfd);
    free(child->database);
    free(child->folder);
    free(child);
}

static bool passes(const char *var)
{
    static const char *const names[] = { "TZ=", "LANG=", "LC_", "LD_LIBRARY_PATH=" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(var, names[i], strlen(names[i])) == 0)
            return true;
    }
    const char *equals = strchr(var, '=');
    return equals && equals - var > 12 && strncmp(equals - 12, "SAN_OPTIONS=", 12) == 0;
}

/* NULL: out of memory. */
static char **child_environment(void)
{
    size_t count = 0, kept = 0;

    while (environ && environ[count])
        count++;
    char **out = calloc(count + 1, sizeof(*out));
    for (size_t i = 0; out && i < count; i++) {
        if (passes(environ[i]))
            out[kept++] = environ[i];
    }
    return out;
}

static json_t *settings_json(const qk__sql_children *children, const char *database,
                             const char *folder)
{
    const qk_worker *pool = children->pool;
    json_t *folders = json_array();
    bool good = folders != NULL;

    for (size_t i = 0; good && i < children->folder_count; i++)
        good = json_array_append_new(folders, json_string(children->folders[i])) == 0;
    if (good && children->folder_count == 0)
        good = json_array_append_new(folders, json_string(folder)) == 0;
    if (!good) {
        json_decref(folders);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:I, s:i, s:I, s:I}", "database", database, "folders",
                     folders, "protect", children->protect ? children->protect : "", "temp",
                     qk__queue_temp_dir(pool->queue), "memory", (json_int_t)children->memory,
                     "threads", children->threads, "request_max", (json_int_t)pool->max_payload,
                     "result_max", (json_int_t)(pool->max_payload / 2));
}

static qk_status send_settings(const qk__sql_children *children, int control, const char *database,
                               const char *folder, qk_error *err)
{
    json_t *json = settings_json(children, database, folder);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    qk_status rc =
        text ? qk__frame_send(control, QK__SQL_SETTINGS, text, strlen(text), err) : no_memory(err);

    free(text);
    json_decref(json);
    return rc;
}

static qk_status spawn(qk__sql_child *child, const qk__sql_children *children, int theirs,
                       qk_error *err)
{
    char *argv[] = { children->helper, NULL };
    char **env = child_environment();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int control = fcntl(theirs, F_DUPFD_CLOEXEC, 3), sink = fcntl(null, F_DUPFD_CLOEXEC, 3);
    const int fds[3] = { control, sink, sink };
    const qk__spawn_spec spec = { .argv = argv, .env = env, .cwd = child->folder, .fds = fds };
    qk_status rc = !env ? no_memory(err)
                   : control < 0 || sink < 0
                       ? qk__error_errno(err, QK_EIO, errno, "cannot start an SQL process")
                       : qk__spawn(&child->pid, &spec, err);

    if (null >= 0)
        close(null);
    if (control >= 0)
        close(control);
    if (sink >= 0)
        close(sink);
    free(env);
    if (rc == QK_OK)
        child->pidfd = pidfd_open(child->pid, 0);
    return rc;
}

qk_status qk__sql_child_start(qk__sql_child **out, qk__sql_children *children, const char *database,
                              const char *folder, qk_error *err)
{
    qk__sql_child *child = calloc(1, sizeof(*child));
    int pair[2] = { -1, -1 };

    if (!child)
        return no_memory(err);
    child->pidfd = child->control = -1;
    child->database = strdup(database);
    child->folder = strdup(folder);
    qk_status rc = child->database && child->folder
                       ? qk__frame_pair(pair, QK__SQL_SOCKET_WAIT_S, err)
                       : no_memory(err);
    if (rc == QK_OK) {
        child->control = pair[0];
        rc = spawn(child, children, pair[1], err);
        close(pair[1]);
    }
    if (rc != QK_OK) {
        qk__sql_child_free(child);
        return rc;
    }
    /* From here on it has to be reaped: it is listed whether it takes its settings or not. */
    child->next = children->first;
    children->first = child;
    child->idle_us = qk__machine_us();
    rc = send_settings(children, child->control, database, folder, err);
    child->broken = rc != QK_OK;
    *out = child;
    return rc;
}
