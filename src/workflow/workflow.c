/*
 * The public calls of queuack/workflow.h: reading the file, and handing out what was made of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/file.h"
#include "workflow/give.h"
#include "workflow/loading.h"

static qk_status read_all(char **out, size_t *length, int fd, const char *path, qk_error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return qk__error(err, QK_EINVAL, "%s: not a file: name a workflow file", path);
    if ((uintmax_t)status.st_size > QK_WORKFLOW_BYTES_MAX)
        return qk__error(err, QK_ETOOLARGE, "%s: larger than %zu MiB: split it", path,
                         QK_WORKFLOW_BYTES_MAX >> 20);
    int number = qk__file_read(out, length, fd, (size_t)status.st_size);
    return number == 0 ? QK_OK
                       : qk__error_errno(err, number == ENOMEM ? QK_ENOMEM : QK_EIO, number,
                                         "%s: cannot be read", path);
}

static qk_status read_file(char **out, size_t *length, const char *path, qk_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return qk__error_errno(err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                               "%s: cannot be opened", path);
    qk_status rc = read_all(out, length, fd, path, err);
    close(fd);
    return rc;
}

/* file, folder and the name a file without "name" gets. */
static qk_status locate(qk_workflow *out, const char *path, qk_error *err)
{
    char *copy = strdup(path);
    char *base = strdup(path);
    char *folder = copy ? realpath(dirname(copy), NULL) : NULL;
    qk_status rc = QK_ENOMEM;
    if (copy && !folder && errno != ENOMEM)
        rc = qk__error_errno(err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                             "%s: its folder cannot be found", path);
    else if (!copy || !base || !folder)
        qk__error(err, rc, "out of memory");
    else {
        const char *leaf = basename(base);
        size_t room = strlen(folder) + strlen(leaf) + 2;
        char *file = qk__arena_take(&out->arena, room);
        const char *dot = strrchr(leaf, '.');
        size_t stem = dot && dot != leaf ? (size_t)(dot - leaf) : strlen(leaf);
        out->shown = qk__arena_text(&out->arena, path, strlen(path));
        out->folder = qk__arena_text(&out->arena, folder, strlen(folder));
        out->name = qk__arena_text(&out->arena, leaf, stem > QK_NAME_MAX ? QK_NAME_MAX : stem);
        out->file = file;
        if (file && out->folder && out->name && out->shown) {
            strcpy(file, folder[1] ? folder : "");
            strcat(strcat(file, "/"), leaf);
            rc = QK_OK;
        } else {
            qk__error(err, rc, "out of memory");
        }
    }
    free(folder);
    free(base);
    free(copy);
    return rc;
}

static qk_status load_text(qk_workflow *workflow, const char *text, size_t length,
                           const qk_workflow_options *options, const qk__entry *entry,
                           qk_error *err)
{
    qk_error unseen = QK_ERROR_INIT;
    qk__loading in = { .out = workflow,
                       .options = options,
                       .entry = entry,
                       .depth = entry ? entry->outer->depth + 1 : 1,
                       .err = err ? err : &unseen };
    qk_status rc = qk__yaml_read(&in.tree, workflow->shown, text, length, in.err);
    in.root = in.tree.root;
    if (!rc)
        rc = qk__load_root(&in);
    qk__yaml_dispose(&in.tree);
    return rc;
}

static qk_status parse(qk_workflow **out, const char *text, size_t length, const char *path,
                       const qk_workflow_options *options, const qk__entry *entry, qk_error *err)
{
    *out = NULL;
    qk_workflow *workflow = calloc(1, sizeof(*workflow));
    if (!workflow)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = locate(workflow, path, err);
    if (!rc)
        rc = load_text(workflow, text, length, options, entry, err);
    if (rc)
        qk_workflow_free(workflow);
    else
        *out = workflow;
    return rc;
}

qk_status qk__workflow_load(qk_workflow **out, const char *path, const qk_workflow_options *options,
                            const qk__entry *entry, qk_error *err)
{
    char *text = NULL;
    size_t length = 0;
    *out = NULL;
    qk_status rc = read_file(&text, &length, path, err);
    if (!rc)
        rc = parse(out, text, length, path, options, entry, err);
    free(text);
    return rc;
}

static qk_status check(const void *path, const qk_workflow_options **options, qk_error *err)
{
    static const qk_workflow_options defaults = QK_WORKFLOW_OPTIONS_INIT;
    if (!*options)
        *options = &defaults;
    if (!path)
        return qk__error(err, QK_EINVAL, "path: must not be NULL");
    if ((*options)->version != 1)
        return qk__error(err, QK_EINVAL,
                         "workflow options must start from QK_WORKFLOW_OPTIONS_INIT: use it");
    return QK_OK;
}

qk_status qk_workflow_load(qk_workflow **out, const char *path, const qk_workflow_options *options,
                           qk_error *err)
{
    qk_status rc = check(path, &options, err);
    return rc ? rc : qk__workflow_load(out, path, options, NULL, err);
}

qk_status qk_workflow_parse(qk_workflow **out, const char *text, size_t length, const char *path,
                            const qk_workflow_options *options, qk_error *err)
{
    qk_status rc = check(path, &options, err);
    if (!rc && (!text || length > QK_WORKFLOW_BYTES_MAX))
        rc = qk__error(err, text ? QK_ETOOLARGE : QK_EINVAL, "%s: the text is NULL or too large",
                       path);
    return rc ? rc : parse(out, text, length, path, options, NULL, err);
}

qk_workflow *qk__workflow_new_like(const qk_workflow *like, const char *name)
{
    qk_workflow *workflow = calloc(1, sizeof(*workflow));
    if (!workflow)
        return NULL;
    qk__arena *arena = &workflow->arena;
    workflow->shown = qk__arena_text(arena, like->shown, strlen(like->shown));
    workflow->file = qk__arena_text(arena, like->file, strlen(like->file));
    workflow->folder = qk__arena_text(arena, like->folder, strlen(like->folder));
    workflow->name = qk__arena_text(arena, name, strlen(name));
    if (workflow->shown && workflow->file && workflow->folder && workflow->name)
        return workflow;
    qk_workflow_free(workflow);
    return NULL;
}

void qk_workflow_free(qk_workflow *workflow)
{
    if (!workflow)
        return;
    qk_dag_free(workflow->dag);
    qk__arena_dispose(&workflow->arena);
    free(workflow);
}

qk_dag *qk__workflow_take_dag(qk_workflow *workflow)
{
    qk_dag *dag = workflow->dag;
    workflow->dag = NULL;
    return dag;
}

const char *qk_workflow_name(const qk_workflow *workflow)
{
    return workflow->name;
}

const char *qk_workflow_description(const qk_workflow *workflow)
{
    return workflow->description;
}

const char *qk_workflow_file(const qk_workflow *workflow)
{
    return workflow->file;
}

const char *qk_workflow_folder(const qk_workflow *workflow)
{
    return workflow->folder;
}

const char *qk_workflow_database(const qk_workflow *workflow)
{
    return workflow->database;
}

const char *qk_workflow_schedule(const qk_workflow *workflow)
{
    return workflow->schedule;
}

size_t qk_workflow_secret_count(const qk_workflow *workflow)
{
    return workflow->secrets.count;
}

const char *qk_workflow_secret(const qk_workflow *workflow, size_t index)
{
    return index < workflow->secrets.count ? workflow->secrets.items[index] : NULL;
}

qk_dag *qk_workflow_dag(qk_workflow *workflow)
{
    return workflow->dag;
}

const char *qk_workflow_params(const qk_workflow *workflow)
{
    return workflow->params_json;
}

size_t qk_workflow_param_count(const qk_workflow *workflow)
{
    return workflow->param_count;
}

void qk_workflow_param_get(qk_workflow_param *out, const qk_workflow *workflow, size_t index)
{
    *out = workflow->params[index].open;
}

size_t qk_workflow_task_count(const qk_workflow *workflow)
{
    return workflow->task_count;
}

void qk_workflow_task_get(qk_workflow_task *out, const qk_workflow *workflow, size_t index)
{
    *out = workflow->tasks[index];
}
