/*
 * Payloads: given as JSON, read from a file, or made of a command; see job_args.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "job_args.h"
#include "json_scan.h"
#include "values.h"

#define MAX_FILE ((size_t)64 << 20) /* far beyond what a store takes; it names its own limit */

qk_status job_args_folder(cli *cli, char **out)
{
    const char *given = cli_value(cli, "directory");
    char *folder = given ? realpath(given, NULL) : getcwd(NULL, 0);
    if (!folder)
        return cli_error_errno(&cli->err, QK_EINVAL, errno,
                               given ? "-C %.300s is not a folder" : "the present folder is gone%s",
                               given ? given : "");
    *out = folder;
    return QK_OK;
}

static qk_status add_environment(cli *cli, json_t *payload)
{
    size_t at = 0;
    const char *text;
    json_t *environment = json_object();
    while ((text = cli_next_value(cli, "env", &at))) {
        size_t length = strcspn(text, "=");
        if (length == 0 || text[length] == '\0') {
            json_decref(environment);
            return cli_error(&cli->err, QK_EINVAL,
                             "-e \"%.60s\" is not a variable: write NAME=VALUE", text);
        }
        char *name = strndup(text, length);
        int failed =
            !name || json_object_set_new(environment, name, json_string(text + length + 1));
        free(name);
        if (failed) {
            json_decref(environment);
            return cli_error(&cli->err, QK_EINVAL, "-e \"%.60s\" is not UTF-8: encode it", text);
        }
    }
    if (json_object_size(environment) == 0)
        json_decref(environment);
    else if (json_object_set_new(payload, "env", environment))
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    return QK_OK;
}

static qk_status add_words(cli *cli, json_t *payload)
{
    json_t *words = json_array();
    if (json_object_set_new(payload, "argv", words))
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!*cli->tail[0])
        return cli_error(&cli->err, QK_EINVAL, "the command is empty: name a program after \"--\"");
    for (size_t i = 0; i < cli->tail_count; i++) {
        if (json_array_append_new(words, json_string(cli->tail[i])))
            return cli_error(&cli->err, QK_EINVAL,
                             "word %zu of the command is not UTF-8: encode it", i + 1);
    }
    return QK_OK;
}

static qk_status add_folder(cli *cli, json_t *payload)
{
    char *folder = NULL;
    qk_status rc = job_args_folder(cli, &folder);
    if (!rc && json_object_set_new(payload, "cwd", json_string(folder)))
        rc = cli_error(&cli->err, QK_EINVAL, "the folder's name is not UTF-8: choose one with -C");
    free(folder);
    return rc;
}

qk_status job_args_command(cli *cli, char **out)
{
    int slots = 0;
    const char *given = cli_value(cli, "slots");
    json_t *payload = json_object();
    qk_status rc = payload ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = add_words(cli, payload);
    if (!rc)
        rc = add_folder(cli, payload);
    if (!rc)
        rc = add_environment(cli, payload);
    if (!rc && given)
        rc = cli_parse_int(&slots, "--slots", given, 1, 10000, &cli->err);
    if (!rc && slots)
        json_object_set_new(payload, "slots", json_integer(slots));
    if (!rc) {
        *out = json_dumps(payload, JSON_COMPACT);
        if (!*out)
            rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    }
    json_decref(payload);
    return rc;
}

static qk_status read_file(cli *cli, char **out, size_t *length, const char *path)
{
    char *text = NULL;
    size_t used = 0;
    size_t room = 0;
    qk_status rc = QK_OK;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return cli_error_errno(&cli->err, QK_EINVAL, errno, "cannot read %.300s", path);
    while (!rc && !feof(file) && !ferror(file)) {
        if (used == room) {
            room = room ? room * 2 : 65536;
            char *more = room > MAX_FILE ? NULL : realloc(text, room + 1);
            if (!more) {
                rc = cli_error(&cli->err, QK_ETOOLARGE,
                               "%.300s is too large for a payload: pass "
                               "its name instead",
                               path);
                break;
            }
            text = more;
        }
        used += fread(text + used, 1, room - used, file);
    }
    if (!rc && ferror(file))
        rc = cli_error_errno(&cli->err, QK_EINVAL, errno, "cannot read %.300s", path);
    if (file != stdin)
        fclose(file);
    if (rc) {
        free(text);
        return rc;
    }
    text[used] = '\0';
    *out = text;
    *length = used;
    return QK_OK;
}

static qk_status check_json(cli *cli, char *text, size_t length)
{
    json_scan scan;
    json_span span;
    json_scan_init(&scan, text, length);
    if (json_scan_all(&scan, &span))
        return QK_OK;
    return cli_error(&cli->err, QK_EINVAL,
                     "the payload is not JSON: %s at byte %zu: put strings in double quotes",
                     scan.problem, (size_t)(scan.at - text));
}

qk_status job_args_payload(cli *cli, char **out)
{
    const char *given = cli_value(cli, "data");
    char *text = NULL;
    size_t length = 0;
    qk_status rc = QK_OK;
    *out = NULL;
    if (!given)
        return QK_OK;
    if (given[0] == '@') {
        rc = read_file(cli, &text, &length, given + 1);
    } else {
        text = strdup(given);
        length = strlen(given);
        rc = text ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    }
    if (!rc)
        rc = check_json(cli, text, length);
    if (rc)
        free(text);
    else
        *out = text;
    return rc;
}
