/*
 * See run_file.h.
 */
#include "run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workflow_args.h"

#define FILE_MAX ((size_t)64 << 20)

/* Oddities are for `dag validate`: a run says them only when asked to say more. */
static void warn(void *user, const char *dag, const char *message)
{
    const cli *cli = user;
    if (cli->verbose)
        cli_note(cli, "%s: %s", dag, message);
}

/* The whole file; *length without the NUL at its end. */
static qk_status read_open(cli *cli, char **out, size_t *length, int fd, const char *path)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return cli_error_errno(&cli->err, QK_EIO, errno, "cannot read %.300s", path);
    if (!S_ISREG(about.st_mode))
        return cli_error(&cli->err, QK_EINVAL, "%.300s is not a file: name a workflow file", path);
    if ((size_t)about.st_size > FILE_MAX)
        return cli_error(&cli->err, QK_ETOOLARGE, "%.300s is larger than 64 MiB", path);
    size_t size = (size_t)about.st_size;
    *out = malloc(size + 1);
    if (!*out)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    for (*length = 0; *length < size;) {
        ssize_t got = read(fd, *out + *length, size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cli_error_errno(&cli->err, QK_EIO, errno, "cannot read %.300s", path);
        if (got == 0)
            break;
        *length += (size_t)got;
    }
    (*out)[*length] = '\0';
    return QK_OK;
}

static qk_status read_file(cli *cli, char **out, size_t *length, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_error_errno(&cli->err, errno == ENOENT ? QK_ENOTFOUND : QK_EIO, errno,
                               "cannot open %.300s", path);
    qk_status rc = read_open(cli, out, length, fd, path);
    close(fd);
    return rc;
}

static bool is_json(const char *path)
{
    size_t length = strlen(path);
    return length > 5 && strcmp(path + length - 5, ".json") == 0;
}

/* "flows/etl.json" is "etl" if it has no name of its own. */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    return strndup(base, strlen(base) - 5);
}

static qk_status load_json(run_file *file, cli *cli, const char *path)
{
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    char *text = NULL, *name = name_of(path);
    size_t length = 0;
    qk_status rc = name ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc && cli_has(cli, "param"))
        rc = cli_error(&cli->err, QK_EINVAL,
                       "-P is for workflow files: a definition as JSON has its params written out");
    if (!rc)
        rc = read_file(cli, &text, &length, path);
    options.name = name;
    options.dag.warn = warn;
    options.dag.warn_user = cli;
    if (!rc) {
        rc = qk_dag_from_json(&file->own, text, length, &options, &cli->err);
        if (rc) {
            qk_error said = cli->err;
            rc = cli_error(&cli->err, rc, "%.200s: %.290s", path, said.message);
        }
    }
    file->dag = file->own;
    free(text);
    free(name);
    return rc;
}

/* Before anything is submitted: only half of it would run. */
static qk_status refuse_foreach(cli *cli, const qk_workflow *workflow)
{
    for (size_t i = 0; i < qk_workflow_task_count(workflow); i++) {
        qk_workflow_task task;
        qk_workflow_task_get(&task, workflow, i);
        if (task.is_foreach)
            return cli_error(&cli->err, QK_EUNSUPPORTED,
                             "%s:%d:%d: the foreach of task '%s' is checked, but this version does "
                             "not run it yet: write a task for each item",
                             qk_workflow_file(workflow), task.line, task.column, task.name);
    }
    return QK_OK;
}

qk_status run_file_load(run_file *file, cli *cli, const char *path)
{
    memset(file, 0, sizeof(*file));
    if (is_json(path))
        return load_json(file, cli, path);
    qk_status rc = cli_load_workflow(cli, &file->workflow, path, false);
    if (!rc)
        rc = refuse_foreach(cli, file->workflow);
    if (rc)
        return rc;
    file->dag = qk_workflow_dag(file->workflow);
    file->params = qk_workflow_params(file->workflow);
    return QK_OK;
}

void run_file_dispose(run_file *file)
{
    qk_dag_free(file->own);
    qk_workflow_free(file->workflow);
    memset(file, 0, sizeof(*file));
}
