/*
 * SQL processes; see sql_children.h.
 *
 * A process is: usable, then either idle for long, broken (it ended by itself) or in the way of
 * another of the same database: then its control socket is closed, upon which it ends. It is freed
 * once it was reaped and no task holds it. It also ends when this process does, however that happens:
 * nobody else holds the other end of its control socket.
 */
#include "worker/sql_children.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/frame.h"
#include "worker/spawn.h"
#include "worker/sql_child.h"

#define IDLE_US 2000000
#define CHILDREN_MAX 32
#define END_WAIT_MS 10000 /* for a clean end, which may write a lot */
#define DEATH_WAIT_MS 2000 /* a socket ends a little before its process does */

static qk_status no_memory(qk_error *err)
{
    return qk__error(err, QK_ENOMEM, "out of memory for SQL tasks");
}

/* Makes it end. Caller holds the lock. */
static void retire(qk__sql_child *child)
{
    if (child->control >= 0)
        close(child->control);
    child->control = -1;
}

static void signal_child(const qk__sql_child *child, int number)
{
    if (!child->reaped)
        kill(child->pid, number);
}

/* Waits so long for its end, then takes it in. Caller holds the lock. */
static bool reap(qk__sql_child *child, int wait_ms)
{
    siginfo_t info = { 0 };
    struct pollfd end = { .fd = child->pidfd, .events = POLLIN };

    if (child->reaped)
        return true;
    if (child->pidfd >= 0)
        poll(&end, 1, wait_ms);
    int flags = WEXITED | (child->pidfd >= 0 || wait_ms == 0 ? WNOHANG : 0);
    if (waitid(P_PID, (id_t)child->pid, &info, flags) == 0 && info.si_pid == 0)
        return false;
    /* Or the application reaps all children: then nobody knows how it ended. */
    child->reaped = true;
    child->code = info.si_code;
    child->status = info.si_status;
    qk__spawn_forget(child->pid);
    return true;
}

/* --- finding one for a task -------------------------------------------------------------------- */

static bool within(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (length == 1)
        return true;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static qk_status check_place(const qk__sql_children *children, const char *what, const char *path,
                             qk_error *err)
{
    bool good = children->folder_count == 0;

    for (size_t i = 0; i < children->folder_count && !good; i++)
        good = within(path, children->folders[i]);
    return good ? QK_OK
                : qk__error(err, QK_EREFUSED,
                            "the %s %.200s lies outside the folders that this worker allows to SQL",
                            what, path);
}

static qk_status check_task(const qk__sql_children *children, const char *database,
                            const char *folder, qk_error *err)
{
    const char *own = children->protect;
    size_t length = own ? strlen(own) : 0;
    qk_status rc = check_place(children, "folder", folder, err);

    if (rc == QK_OK && *database)
        rc = check_place(children, "database", database, err);
    if (rc == QK_OK && own && strncmp(database, own, length) == 0 &&
        (database[length] == '\0' || database[length] == '.'))
        rc = qk__error(err, QK_EREFUSED,
                       "%.200s belongs to the queue: SQL tasks need a database of their own",
                       database);
    return rc;
}

/* Caller holds the lock. */
static qk__sql_child *find(const qk__sql_children *children, const char *database,
                           const char *folder)
{
    for (qk__sql_child *child = children->first; child; child = child->next) {
        if (!child->broken && child->control >= 0 && strcmp(child->database, database) == 0 &&
            strcmp(child->folder, folder) == 0)
            return child;
    }
    return NULL;
}

/* Those that hold the database for another folder, and, when there are many, all that are idle. */
static size_t make_way(const qk__sql_children *children, const char *database)
{
    size_t count = 0;

    for (qk__sql_child *child = children->first; child; child = child->next)
        count++;
    for (qk__sql_child *child = children->first; child; child = child->next) {
        bool same = *database && strcmp(child->database, database) == 0;
        if (child->tasks == 0 && (same || count >= CHILDREN_MAX))
            retire(child);
    }
    return count;
}

/* Caller holds the lock. */
static qk_status get_child(qk__sql_child **out, qk__sql_children *children, const char *database,
                           const char *folder, qk_error *err)
{
    *out = find(children, database, folder);
    if (*out)
        return QK_OK;
    if (make_way(children, database) >= CHILDREN_MAX)
        return qk__error(err, QK_EBUSY, "SQL tasks use %d databases already", CHILDREN_MAX);
    return qk__sql_child_start(out, children, database, folder, err);
}

qk_status qk__sql_child_task(qk__sql_child **out, int *socket, qk__sql_children *children,
                             const char *database, const char *folder, qk_error *err)
{
    qk__sql_child *child = NULL;
    int pair[2];
    qk_status rc = check_task(children, database, folder, err);

    if (rc == QK_OK)
        rc = qk__frame_pair(pair, QK__SQL_SOCKET_WAIT_S, err);
    if (rc != QK_OK)
        return rc;
    pthread_mutex_lock(&children->lock);
    rc = get_child(&child, children, database, folder, err);
    if (rc == QK_OK) {
        rc = qk__frame_send_fd(child->control, pair[1], err);
        child->broken = rc != QK_OK;
    }
    if (rc == QK_OK)
        child->tasks++;
    pthread_mutex_unlock(&children->lock);
    close(pair[1]);
    if (rc != QK_OK) {
        close(pair[0]);
        return rc == QK_ECLOSED || rc == QK_ETIMEDOUT ? QK_EBUSY : rc;
    }
    *out = child;
    *socket = pair[0];
    return QK_OK;
}

void qk__sql_child_release(qk__sql_children *children, qk__sql_child *child)
{
    pthread_mutex_lock(&children->lock);
    child->tasks--;
    child->idle_us = qk__machine_us();
    pthread_mutex_unlock(&children->lock);
}

void qk__sql_child_kill(qk__sql_children *children, qk__sql_child *child)
{
    pthread_mutex_lock(&children->lock);
    child->broken = child->killed = true;
    signal_child(child, SIGKILL);
    pthread_mutex_unlock(&children->lock);
}

bool qk__sql_child_ended(qk__sql_children *children, qk__sql_child *child, char *text, size_t size)
{
    pthread_mutex_lock(&children->lock);
    child->broken = true;
    bool known = reap(child, DEATH_WAIT_MS) && child->code != 0;
    bool killed = child->killed;
    int code = child->code, status = child->status;
    pthread_mutex_unlock(&children->lock);
    const char *name = known && code != CLD_EXITED ? sigabbrev_np(status) : NULL;
    if (!known)
        snprintf(text, size, "it closed its socket");
    else if (code == CLD_EXITED)
        snprintf(text, size, "exit code %d", status);
    else
        snprintf(text, size, "killed by signal %d (SIG%s)", status, name ? name : "?");
    return killed;
}

/* --- upkeep ------------------------------------------------------------------------------------ */

static void end_if_idle(qk__sql_child *child, int64_t now)
{
    if (child->tasks > 0)
        return;
    if (child->control < 0 && now - child->idle_us > IDLE_US + END_WAIT_MS * 1000LL)
        signal_child(child, SIGKILL);
    else if (child->broken || now - child->idle_us > IDLE_US)
        retire(child);
}

bool qk__sql_children_look(qk__sql_children *children)
{
    if (!children)
        return false;
    int64_t now = qk__machine_us();
    pthread_mutex_lock(&children->lock);
    qk__sql_child **link = &children->first;
    while (*link) {
        qk__sql_child *child = *link;
        if (reap(child, 0))
            child->broken = true;
        else
            end_if_idle(child, now);
        if (child->reaped && child->tasks == 0) {
            *link = child->next;
            qk__sql_child_free(child);
        } else {
            link = &child->next;
        }
    }
    bool any = children->first != NULL;
    pthread_mutex_unlock(&children->lock);
    return any;
}

/* --- open and close ---------------------------------------------------------------------------- */

static uint64_t half_of_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 2 : UINT64_C(1) << 30;
}

static qk_status copy_folders(qk__sql_children *children, const qk_sql_options *options,
                              qk_error *err)
{
    if (options->folder_count == 0)
        return QK_OK;
    if (!options->folders)
        return qk__error(err, QK_EINVAL, "folders is NULL but folder_count is %zu",
                         options->folder_count);
    children->folders = calloc(options->folder_count, sizeof(*children->folders));
    if (!children->folders)
        return no_memory(err);
    for (size_t i = 0; i < options->folder_count; i++) {
        children->folders[i] = realpath(options->folders[i], NULL);
        if (!children->folders[i])
            return qk__error_errno(err, QK_EINVAL, errno, "the folder %.200s for SQL tasks",
                                   options->folders[i]);
        children->folder_count++;
    }
    return QK_OK;
}

static qk_status fill(qk__sql_children *children, const qk_sql_options *options, qk_error *err)
{
    const char *path = qk_queue_path(children->pool->queue);

    if (options->version != 1)
        return qk__error(err, QK_EINVAL, "SQL options must start from QK_SQL_OPTIONS_INIT");
    if (options->threads < 0 || options->threads > 1024)
        return qk__error(err, QK_EINVAL, "threads for SQL tasks must be from 0 to 1024");
    if (options->memory > 0 && options->memory < 16 << 20)
        return qk__error(err, QK_EINVAL, "memory for SQL tasks must be at least 16 MiB");
    children->threads = options->threads;
    children->memory = options->memory ? options->memory : half_of_memory();
    qk_status rc = copy_folders(children, options, err);
    if (rc == QK_OK)
        rc = qk__sql_helper(&children->helper, options->helper, err);
    if (rc == QK_OK && path && *path == '/') {
        children->protect = realpath(path, NULL);
        if (!children->protect && errno == ENOMEM)
            rc = no_memory(err);
    }
    return rc;
}

qk_status qk__sql_children_open(qk__sql_children **out, qk_worker *pool,
                                const qk_sql_options *options, qk_error *err)
{
    const qk_sql_options defaults = QK_SQL_OPTIONS_INIT;
    qk__sql_children *children = calloc(1, sizeof(*children));

    if (!children)
        return no_memory(err);
    children->pool = pool;
    pthread_mutex_init(&children->lock, NULL);
    qk_status rc = fill(children, options ? options : &defaults, err);
    if (rc == QK_OK)
        *out = children;
    else
        qk__sql_children_close(children);
    return rc;
}

void qk__sql_children_close(qk__sql_children *children)
{
    if (!children)
        return;
    for (qk__sql_child *child = children->first; child; child = child->next)
        retire(child);
    while (children->first) {
        qk__sql_child *child = children->first;
        children->first = child->next;
        if (!reap(child, END_WAIT_MS)) {
            signal_child(child, SIGKILL);
            reap(child, -1);
        }
        qk__sql_child_free(child);
    }
    for (size_t i = 0; i < children->folder_count; i++)
        free(children->folders[i]);
    free(children->folders);
    free(children->helper);
    free(children->protect);
    pthread_mutex_destroy(&children->lock);
    free(children);
}
