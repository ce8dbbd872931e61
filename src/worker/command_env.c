/*
 * What surrounds a command; see command_env.h.
 *
 * Setup and teardown belong to the pool's start and end, the rest to one slot's thread. Files lie in
 * a folder of the pool's own (0700), named by job and attempt, so that nothing an earlier attempt
 * left running can write into a later one's. They come into being only when the command writes them.
 */
#include "worker/command_env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/file.h"

/* Set by us alone; a worker that is itself run as a command must not pass its own on. */
static const char *const ours[] = {
    "QUEUACK_DB",   "QUEUACK_JOB_ID", "QUEUACK_RUN_ID",   "QUEUACK_NODE",     "QUEUACK_ATTEMPT",
    "QUEUACK_SLOT", "QUEUACK_RESULT", "QUEUACK_PROGRESS", "QUEUACK_UPSTREAM",
};

static bool is_ours(const char *var)
{
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        size_t length = strlen(ours[i]);
        if (strncmp(var, ours[i], length) == 0 && var[length] == '=')
            return true;
    }
    return strncmp(var, "QUEUACK_VALUE_", strlen("QUEUACK_VALUE_")) == 0;
}

static qk_status copy_environment(qk_worker *pool)
{
    size_t count = 0;

    while (environ && environ[count])
        count++;
    pool->environment = calloc(count + 1, sizeof(*pool->environment));
    if (!pool->environment)
        return QK_ENOMEM;
    for (size_t i = 0, at = 0; i < count; i++) {
        if (is_ours(environ[i]))
            continue;
        pool->environment[at] = strdup(environ[i]);
        if (!pool->environment[at++])
            return QK_ENOMEM;
    }
    return QK_OK;
}

static qk_status write_upstream(qk_worker *pool, qk_error *err)
{
    int fd = open(pool->upstream_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "cannot create %s", pool->upstream_path);
    ssize_t written = write(fd, "{}\n", 3);
    int number = errno;
    close(fd);
    if (written != 3)
        return qk__error_errno(err, QK_EIO, written < 0 ? number : ENOSPC, "cannot write %s",
                               pool->upstream_path);
    return QK_OK;
}

qk_status qk__command_setup(qk_worker *pool, qk_error *err)
{
    const char *parent = qk__queue_temp_dir(pool->queue);
    char *dir = NULL;

    if (copy_environment(pool) != QK_OK || asprintf(&dir, "%s/queuack-XXXXXX", parent) < 0)
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    if (!mkdtemp(dir)) {
        qk_status rc =
            qk__error_errno(err, QK_EIO, errno, "cannot make a folder for commands in %s", parent);
        free(dir);
        return rc;
    }
    /* Commands may run in other folders. */
    pool->command_dir = realpath(dir, NULL);
    if (!pool->command_dir) {
        rmdir(dir);
        free(dir);
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    }
    free(dir);
    if (asprintf(&pool->upstream_path, "%s/upstream.json", pool->command_dir) < 0) {
        pool->upstream_path = NULL;
        return qk__error(err, QK_ENOMEM, "out of memory for the worker");
    }
    return write_upstream(pool, err);
}

void qk__command_teardown(qk_worker *pool)
{
    for (char **var = pool->environment; var && *var; var++)
        free(*var);
    free(pool->environment);
    if (pool->upstream_path)
        unlink(pool->upstream_path);
    if (pool->command_dir)
        rmdir(pool->command_dir);
    free(pool->upstream_path);
    free(pool->command_dir);
}

/* Takes `var` ("NAME=value", malloc'd; NULL: no memory), in place of one of that name. */
static qk_status set_var(qk__command_env *env, char *var)
{
    if (!var)
        return QK_ENOMEM;
    size_t name = (size_t)(strchr(var, '=') - var) + 1;
    if (env->own_count == env->own_capacity || env->count == env->capacity) {
        free(var);
        return QK_ENOMEM; /* never: room for all was made */
    }
    env->own[env->own_count++] = var;
    for (size_t i = 0; i < env->count; i++) {
        if (strncmp(env->vars[i], var, name) == 0) {
            env->vars[i] = var;
            return QK_OK;
        }
    }
    env->vars[env->count++] = var;
    return QK_OK;
}

static qk_status set(qk__command_env *env, const char *name, const char *value)
{
    char *var = NULL;

    if (!value)
        return QK_OK;
    return set_var(env, asprintf(&var, "%s=%s", name, value) < 0 ? NULL : var);
}

/* What the parents left, for a node of a run that has any. */
static qk_status write_results(qk__command_env *env, const qk__slot *slot, const char *id,
                               const char *attempt)
{
    const char *text = NULL;
    size_t parents = 0;
    qk_task *task = (qk_task *)(uintptr_t)&slot->task;
    if (qk_task_parent_count(&parents, task, NULL) != QK_OK || parents == 0)
        return QK_OK;
    if (qk_task_upstream_all(&text, task, NULL) != QK_OK ||
        asprintf(&env->upstream_path, "%s/%s-%s.upstream", slot->pool->command_dir, id, attempt) <
            0) {
        env->upstream_path = NULL;
        return QK_ENOMEM;
    }
    size_t length = strlen(text), written = 0;
    int fd = open(env->upstream_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    while (fd >= 0 && written < length) {
        ssize_t some = write(fd, text + written, length - written);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            break;
        written += (size_t)some;
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && written == length ? QK_OK : QK_EIO;
}

static qk_status set_job(qk__command_env *env, const qk__slot *slot, const qk_claimed *claim)
{
    const qk_worker *pool = slot->pool;
    char id[QK_ID_TEXT_SIZE], attempt[16], number[16];

    qk_id_format(id, claim->lease.job);
    snprintf(attempt, sizeof(attempt), "%d", (int)claim->lease.attempt);
    snprintf(number, sizeof(number), "%d", slot->index);
    if (asprintf(&env->result_path, "%s/%s-%s.result", pool->command_dir, id, attempt) < 0)
        env->result_path = NULL;
    if (asprintf(&env->progress_path, "%s/%s-%s.progress", pool->command_dir, id, attempt) < 0)
        env->progress_path = NULL;
    if (!env->result_path || !env->progress_path)
        return QK_ENOMEM;
    snprintf(env->mark.job, sizeof(env->mark.job), "QUEUACK_JOB_ID=%s", id);
    snprintf(env->mark.attempt, sizeof(env->mark.attempt), "QUEUACK_ATTEMPT=%s", attempt);
    if (!qk_id_is_none(claim->run_id) && write_results(env, slot, id, attempt) != QK_OK)
        return QK_ENOMEM;
    bool in_run = !qk_id_is_none(claim->run_id);
    char run[QK_ID_TEXT_SIZE];
    const char *const vars[][2] = {
        { "QUEUACK_DB", qk_queue_path(pool->queue) },
        { "QUEUACK_JOB_ID", id },
        { "QUEUACK_ATTEMPT", attempt },
        { "QUEUACK_SLOT", number },
        { "QUEUACK_RESULT", env->result_path },
        { "QUEUACK_PROGRESS", env->progress_path },
        { "QUEUACK_UPSTREAM", env->upstream_path ? env->upstream_path : pool->upstream_path },
        { "QUEUACK_RUN_ID", in_run ? qk_id_format(run, claim->run_id) : NULL },
        { "QUEUACK_NODE", claim->node_name },
    };
    for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++) {
        if (set(env, vars[i][0], vars[i][1]) != QK_OK)
            return QK_ENOMEM;
    }
    return QK_OK;
}

qk_status qk__command_env_init(qk__command_env *env, const qk__slot *slot, const qk_claimed *claim,
                               json_t *extra)
{
    const char *name;
    json_t *value;

    memset(env, 0, sizeof(*env));
    while (slot->pool->environment[env->capacity])
        env->capacity++;
    env->own_capacity = json_object_size(extra) + sizeof(ours) / sizeof(ours[0]);
    env->capacity += env->own_capacity;
    env->vars = calloc(env->capacity + 1, sizeof(*env->vars));
    env->own = calloc(env->own_capacity, sizeof(*env->own));
    if (!env->vars || !env->own)
        return QK_ENOMEM;
    for (char **var = slot->pool->environment; *var; var++)
        env->vars[env->count++] = *var;
    json_object_foreach(extra, name, value)
    {
        if (set(env, name, json_string_value(value)) != QK_OK)
            return QK_ENOMEM;
    }
    return set_job(env, slot, claim);
}

void qk__command_env_dispose(qk__command_env *env)
{
    if (env->result_path)
        unlink(env->result_path);
    if (env->progress_path)
        unlink(env->progress_path);
    if (env->upstream_path)
        unlink(env->upstream_path);
    free(env->upstream_path);
    free(env->result_path);
    free(env->progress_path);
    for (size_t i = 0; i < env->own_count; i++)
        free(env->own[i]);
    free(env->own);
    free(env->vars);
}

static qk_status read_all(char **out, size_t *length, int fd, size_t limit, qk_error *err)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return qk__error(err, QK_EINVAL, "it is not a regular file");
    if ((uintmax_t)status.st_size > limit)
        return qk__error(err, QK_ETOOLARGE, "%ju bytes are more than the limit of %zu",
                         (uintmax_t)status.st_size, limit);
    int number = qk__file_read(out, length, fd, (size_t)status.st_size);
    return number == 0 ? QK_OK
                       : qk__error_errno(err, number == ENOMEM ? QK_ENOMEM : QK_EIO, number,
                                         "it cannot be read");
}

qk_status qk__command_file_read(char **out, size_t *length, const char *path, size_t limit,
                                qk_error *err)
{
    /* Not blocking: the command may have made it a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT)
        return QK_EMPTY;
    if (fd < 0)
        return qk__error_errno(err, QK_EIO, errno, "it cannot be read");
    qk_status rc = read_all(out, length, fd, limit, err);
    close(fd);
    return rc;
}
