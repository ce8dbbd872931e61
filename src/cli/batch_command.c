/*
 * Commands in a batch; see batch_command.h. The same rules as the library's.
 */
#include "batch_command.h"

#include <string.h>

#include <jansson.h>

/* A string that a program can be given: no NUL. */
static bool is_plain(const json_span *value, bool may_be_empty)
{
    if (value->type != '"' || (!may_be_empty && value->length == 2))
        return false;
    if (!value->escaped)
        return true;
    json_t *string = json_loadb(value->at, value->length, JSON_DECODE_ANY, NULL);
    json_decref(string);
    return string != NULL; /* jansson refuses \u0000 */
}

static bool words_are_good(const json_span *words)
{
    json_scan scan;
    json_span word;
    size_t count = 0;
    if (words->type != '[')
        return false;
    json_scan_init(&scan, words->at, words->length);
    json_scan_enter(&scan, '[');
    for (; json_scan_element(&scan, &word, count == 0) == 1; count++) {
        if (!is_plain(&word, count > 0))
            return false;
    }
    return count > 0;
}

static bool environment_is_good(const json_span *environment)
{
    json_scan scan;
    json_span name;
    json_span value;
    bool first = true;
    if (environment->type == 0)
        return true;
    if (environment->type != '{')
        return false;
    json_scan_init(&scan, environment->at, environment->length);
    json_scan_enter(&scan, '{');
    for (; json_scan_member(&scan, &name, &value, first) == 1; first = false) {
        if (!is_plain(&name, false) || memchr(name.at, '=', name.length) || !is_plain(&value, true))
            return false;
    }
    return true;
}

static bool slots_are_good(const json_span *slots)
{
    if (slots->type == 0)
        return true;
    if (slots->type != '0' || slots->length > 5)
        return false;
    for (size_t i = 0; i < slots->length; i++) {
        if (slots->at[i] < '0' || slots->at[i] > '9')
            return false;
    }
    return slots->at[0] != '0';
}

static qk_status check(const batch_command *parts, qk_error *err)
{
    const char *problem = NULL;
    if (!words_are_good(&parts->words))
        problem = "the command must be a list of strings: [\"program\",\"argument\",…]";
    else if (parts->folder.type && !is_plain(&parts->folder, false))
        problem = "\"cwd\" must be a folder's name";
    else if (!environment_is_good(&parts->environment))
        problem = "\"env\" must be an object of strings, its names without \"=\"";
    else if (!slots_are_good(&parts->slots))
        problem = "\"slots\" must be a whole number from 1";
    return problem ? cli_error(err, QK_EINVAL, "%s", problem) : QK_OK;
}

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

static char *put_part(char *at, const char *name, const json_span *span)
{
    if (span->type == 0)
        return at;
    at = put(at, name, strlen(name));
    return put(at, span->at, span->length);
}

qk_status batch_command_make(const char **out, arena *arena, const batch_command *parts,
                             const char *default_folder, qk_error *err)
{
    json_span folder = parts->folder;
    qk_status rc = check(parts, err);
    if (rc)
        return rc;
    if (folder.type == 0)
        folder = (json_span){ (char *)default_folder, strlen(default_folder), '"', false };
    char *text = arena_take(arena, parts->words.length + folder.length + parts->environment.length +
                                       parts->slots.length + 64);
    if (!text)
        return cli_error(err, QK_ENOMEM, "out of memory");
    char *at = put_part(text, "{\"argv\":", &parts->words);
    at = put_part(at, ",\"cwd\":", &folder);
    at = put_part(at, ",\"env\":", &parts->environment);
    at = put_part(at, ",\"slots\":", &parts->slots);
    put(at, "}", 2);
    *out = text;
    return QK_OK;
}

static bool is_key(const json_span *key, const char *name)
{
    return key->length == strlen(name) + 2 && memcmp(key->at + 1, name, key->length - 2) == 0;
}

qk_status batch_command_check(const json_span *payload, qk_error *err)
{
    json_scan scan;
    json_span key;
    json_span value;
    bool first = true;
    batch_command parts = { .words = { NULL, 0, 0, false } };
    if (payload->type != '{')
        return cli_error(err, QK_EINVAL,
                         "the payload of a command must be {\"argv\":[\"program\",…],…}");
    json_scan_init(&scan, payload->at, payload->length);
    json_scan_enter(&scan, '{');
    for (; json_scan_member(&scan, &key, &value, first) == 1; first = false) {
        if (value.type == 'n')
            value.type = 0;
        if (is_key(&key, "argv"))
            parts.words = value;
        else if (is_key(&key, "cwd"))
            parts.folder = value;
        else if (is_key(&key, "env"))
            parts.environment = value;
        else if (is_key(&key, "slots"))
            parts.slots = value;
    }
    return check(&parts, err);
}
