/*
 * Reading one line; see batch_line.h. Everything the library would refuse is refused here, so that
 * a batch of several commits does not stop half-way for a mistake in it.
 *
 * long file: one reader per key of a line; they share the line they read.
 */
#include "batch_line.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "batch_command.h"
#include "job_args.h"
#include "json_scan.h"
#include "values.h"

#define MAX_PAYLOAD ((size_t)4 << 20)

typedef struct reader {
    batch_job *job;
    arena *arena;
    qk_error *err;
    const char *key; /* the one being read */
    json_span payload, command, folder, environment, slots; /* type 0: not there */
} reader;

static qk_status wrong_type(reader *reader, const char *wanted)
{
    return cli_error(reader->err, QK_EINVAL, "\"%s\" must be %s", reader->key, wanted);
}

static qk_status out_of_memory(reader *reader)
{
    return cli_error(reader->err, QK_ENOMEM, "out of memory");
}

/* The string with its escapes resolved. */
static qk_status read_text(reader *reader, const char **out, const json_span *value)
{
    if (value->type != '"')
        return wrong_type(reader, "a string");
    if (!value->escaped) {
        value->at[value->length - 1] = '\0';
        *out = value->at + 1;
        return QK_OK;
    }
    json_t *string = json_loadb(value->at, value->length, JSON_DECODE_ANY, NULL);
    if (!string)
        return wrong_type(reader, "a string without \\u0000");
    size_t length = json_string_length(string);
    char *copy = arena_take(reader->arena, length + 1);
    if (copy)
        memcpy(copy, json_string_value(string), length + 1);
    json_decref(string);
    *out = copy;
    return copy ? QK_OK : out_of_memory(reader);
}

static qk_status read_name(reader *reader, const char **out, const json_span *value)
{
    qk_status rc = read_text(reader, out, value);
    return rc ? rc : job_check_name(reader->key, *out, reader->err);
}

/* The number's text, to be read by the functions of values.h. */
static qk_status read_number(reader *reader, char out[40], const json_span *value)
{
    if (value->type != '0' || value->length >= 40)
        return wrong_type(reader, "a number");
    memcpy(out, value->at, value->length);
    out[value->length] = '\0';
    return QK_OK;
}

static qk_status read_int(reader *reader, int *out, const json_span *value, int min, int max)
{
    char text[40];
    qk_status rc = read_number(reader, text, value);
    return rc ? rc : cli_parse_int(out, reader->key, text, min, max, reader->err);
}

static qk_status read_seconds(reader *reader, qk_duration *out, const json_span *value)
{
    char text[40];
    qk_status rc = read_number(reader, text, value);
    if (rc)
        return rc;
    double seconds = strtod(text, NULL);
    if (!(seconds >= 0 && seconds <= 100.0 * 366 * 86400))
        return wrong_type(reader, "seconds from 0, at most 100 years");
    *out = qk_us((int64_t)(seconds * 1e6 + 0.5));
    return QK_OK;
}

static qk_status read_id(reader *reader, const json_span *value)
{
    const char *text;
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc : cli_parse_id(&reader->job->options.id, "id", text, reader->err);
}

static qk_status read_time(reader *reader, const json_span *value)
{
    const char *text;
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc
              : cli_parse_time(&reader->job->options.execute_after, reader->key, text, reader->err);
}

static qk_status read_delay(reader *reader, const json_span *value)
{
    const char *text;
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc
              : cli_parse_duration(&reader->job->options.delay, reader->key, text, reader->err);
}

static qk_status read_delay_seconds(reader *reader, const json_span *value)
{
    return read_seconds(reader, &reader->job->options.delay, value);
}

static qk_status read_timeout(reader *reader, const json_span *value)
{
    const char *text;
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc : cli_parse_limit(&reader->job->options.timeout, reader->key, text, reader->err);
}

static qk_status read_timeout_seconds(reader *reader, const json_span *value)
{
    qk_status rc = read_seconds(reader, &reader->job->options.timeout, value);
    if (!rc && reader->job->options.timeout.us == 0)
        return wrong_type(reader, "above 0: write \"timeout\":\"none\" for no limit");
    return rc;
}

/* "1s,2,1h", or seconds. */
static qk_status read_backoff(reader *reader, const json_span *value)
{
    const char *text;
    qk_backoff *backoff = &reader->job->options.backoff;
    if (value->type == '0') {
        qk_status rc = read_seconds(reader, &backoff->base, value);
        if (backoff->cap.us < backoff->base.us)
            backoff->cap = backoff->base;
        return rc;
    }
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc : cli_parse_backoff(backoff, reader->key, text, reader->err);
}

static qk_status read_mode(reader *reader, const json_span *value)
{
    const char *text;
    qk_status rc = read_text(reader, &text, value);
    return rc ? rc : cli_parse_mode(&reader->job->options.mode, reader->key, text, reader->err);
}

static qk_status read_continue(reader *reader, const json_span *value)
{
    if (value->type != 't' && value->type != 'f')
        return wrong_type(reader, "true or false");
    reader->job->options.continue_on_failure = value->type == 't';
    return QK_OK;
}

static qk_status read_priority(reader *reader, const json_span *value)
{
    return read_int(reader, &reader->job->options.priority, value, 0, QK_PRIORITY_MAX);
}

static qk_status read_max_attempts(reader *reader, const json_span *value)
{
    return read_int(reader, &reader->job->options.max_attempts, value, 1, INT_MAX);
}

static qk_status read_max_lost(reader *reader, const json_span *value)
{
    return read_int(reader, &reader->job->options.max_lost, value, 1, INT_MAX);
}

static size_t count_elements(const json_span *value)
{
    json_scan scan;
    json_span element;
    size_t count = 0;
    json_scan_init(&scan, value->at, value->length);
    json_scan_enter(&scan, '[');
    while (json_scan_element(&scan, &element, count == 0) == 1)
        count++;
    return count;
}

static qk_status read_tags(reader *reader, const json_span *value)
{
    json_scan scan;
    json_span element;
    qk_job_options *options = &reader->job->options;
    if (value->type != '[')
        return wrong_type(reader, "a list of strings");
    size_t count = count_elements(value);
    if (count > QK_TAGS_MAX)
        return cli_error(reader->err, QK_EINVAL, "too many tags: at most %d are allowed",
                         QK_TAGS_MAX);
    const char **tags = arena_take(reader->arena, (count + 1) * sizeof(*tags));
    if (!tags)
        return out_of_memory(reader);
    json_scan_init(&scan, value->at, value->length);
    json_scan_enter(&scan, '[');
    for (size_t i = 0; json_scan_element(&scan, &element, i == 0) == 1; i++) {
        qk_status rc = read_name(reader, &tags[i], &element);
        if (rc)
            return rc;
    }
    options->tags = tags;
    options->tag_count = count;
    return QK_OK;
}

static qk_status read_needs(reader *reader, const json_span *value)
{
    json_scan scan;
    json_span element;
    qk_job_options *options = &reader->job->options;
    if (value->type != '[')
        return wrong_type(reader, "a list of ids");
    size_t count = count_elements(value);
    qk_id *needs = arena_take(reader->arena, (count + 1) * sizeof(*needs));
    if (!needs)
        return out_of_memory(reader);
    json_scan_init(&scan, value->at, value->length);
    json_scan_enter(&scan, '[');
    for (size_t i = 0; json_scan_element(&scan, &element, i == 0) == 1; i++) {
        const char *text = "";
        qk_status rc = read_text(reader, &text, &element);
        if (!rc)
            rc = cli_parse_id(&needs[i], "needs", text, reader->err);
        if (rc)
            return rc;
    }
    options->needs = needs;
    options->needs_count = count;
    return QK_OK;
}

static qk_status read_kind(reader *reader, const json_span *value)
{
    return read_name(reader, &reader->job->kind, value);
}

static qk_status read_queue(reader *reader, const json_span *value)
{
    return read_name(reader, &reader->job->options.queue, value);
}

static qk_status read_job_name(reader *reader, const json_span *value)
{
    return read_name(reader, &reader->job->options.name, value);
}

static qk_status read_unique(reader *reader, const json_span *value)
{
    return read_name(reader, &reader->job->options.unique_key, value);
}

static qk_status keep_payload(reader *reader, const json_span *value)
{
    reader->payload = *value;
    return QK_OK;
}

static qk_status keep_command(reader *reader, const json_span *value)
{
    reader->command = *value;
    return QK_OK;
}

static qk_status keep_folder(reader *reader, const json_span *value)
{
    reader->folder = *value;
    return QK_OK;
}

static qk_status keep_environment(reader *reader, const json_span *value)
{
    reader->environment = *value;
    return QK_OK;
}

static qk_status keep_slots(reader *reader, const json_span *value)
{
    reader->slots = *value;
    return QK_OK;
}

static const struct {
    const char *name;
    qk_status (*read)(reader *reader, const json_span *value);
} keys[] = {
    { "kind", read_kind },
    { "payload", keep_payload },
    { "command", keep_command },
    { "queue", read_queue },
    { "priority", read_priority },
    { "name", read_job_name },
    { "tags", read_tags },
    { "id", read_id },
    { "needs", read_needs },
    { "unique", read_unique },
    { "unique_key", read_unique },
    { "max_attempts", read_max_attempts },
    { "max_lost", read_max_lost },
    { "timeout", read_timeout },
    { "timeout_seconds", read_timeout_seconds },
    { "delay", read_delay },
    { "delay_seconds", read_delay_seconds },
    { "execute_after", read_time },
    { "backoff", read_backoff },
    { "dependency_mode", read_mode },
    { "mode", read_mode },
    { "continue_on_failure", read_continue },
    { "cwd", keep_folder },
    { "env", keep_environment },
    { "slots", keep_slots },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static qk_status read_member(reader *reader, const json_span *key, const json_span *value)
{
    char name[48];
    for (size_t i = 0; i < KEYS; i++) {
        if (strlen(keys[i].name) == key->length - 2 &&
            memcmp(keys[i].name, key->at + 1, key->length - 2) == 0) {
            reader->key = keys[i].name;
            return value->type == 'n' ? QK_OK : keys[i].read(reader, value);
        }
    }
    snprintf(name, sizeof(name), "%.*s", (int)(key->length - 2), key->at + 1);
    cli_nearest nearest = { name, NULL, 0 };
    for (size_t i = 0; i < KEYS; i++)
        cli_nearest_try(&nearest, keys[i].name);
    const char *found = cli_nearest_found(&nearest);
    return cli_error(reader->err, QK_EINVAL, "unknown key \"%s\": %s%s%s", name,
                     found ? "did you mean \"" : "queuack enqueue --help lists them",
                     found ? found : "", found ? "\"?" : "");
}

/* What the keys say together. */
static qk_status settle(reader *reader, const batch_defaults *defaults)
{
    batch_job *job = reader->job;
    bool shell = reader->folder.type || reader->environment.type || reader->slots.type;
    if (reader->command.type) {
        batch_command parts = { reader->command, reader->folder, reader->environment,
                                reader->slots };
        if (reader->payload.type || (job->kind && strcmp(job->kind, "command") != 0))
            return cli_error(reader->err, QK_EINVAL,
                             "\"command\" stands beside \"kind\" or \"payload\": give one of them");
        job->kind = "command";
        return batch_command_make(&job->payload, reader->arena, &parts, defaults->folder,
                                  reader->err);
    }
    if (!job->kind)
        return cli_error(reader->err, QK_EINVAL, "neither \"kind\" nor \"command\": give one");
    if (shell)
        return cli_error(reader->err, QK_EINVAL,
                         "\"cwd\", \"env\" and \"slots\" go with \"command\" only");
    if (strcmp(job->kind, "command") == 0) {
        qk_status rc = batch_command_check(&reader->payload, reader->err);
        if (rc)
            return rc;
    }
    if (reader->payload.type) {
        reader->payload.at[reader->payload.length] = '\0';
        job->payload = reader->payload.at;
    }
    return QK_OK;
}

static qk_status not_json(const json_scan *scan, qk_error *err)
{
    return cli_error(err, QK_EINVAL, "not a JSON object: %s at byte %zu", scan->problem,
                     (size_t)(scan->at - scan->start) + 1);
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!memchr(" \t\r", text[i], 3))
            return false;
    }
    return true;
}

qk_status batch_line_parse(batch_job *out, arena *arena, const batch_defaults *defaults, char *text,
                           size_t length, qk_error *err)
{
    json_scan scan;
    json_span key;
    json_span value;
    int step;
    bool first = true;
    if (is_blank(text, length))
        return QK_EMPTY;
    *out = (batch_job){ .options = defaults->options };
    reader reader = { .job = out, .arena = arena, .err = err };
    out->options.delay.us = 0; /* a line's own time replaces the default one as a whole */
    out->options.execute_after.us = 0;
    json_scan_init(&scan, text, length);
    if (!json_scan_enter(&scan, '{'))
        return not_json(&scan, err);
    while ((step = json_scan_member(&scan, &key, &value, first)) == 1) {
        qk_status rc = read_member(&reader, &key, &value);
        if (rc)
            return rc;
        first = false;
    }
    if (step < 0 || !json_scan_end(&scan))
        return not_json(&scan, err);
    if (out->options.delay.us && out->options.execute_after.us)
        return cli_error(err, QK_EINVAL, "a delay and \"execute_after\" exclude each other");
    if (!out->options.delay.us && !out->options.execute_after.us) {
        out->options.delay = defaults->options.delay;
        out->options.execute_after = defaults->options.execute_after;
    }
    if (reader.payload.type && reader.payload.length > MAX_PAYLOAD)
        return cli_error(err, QK_ETOOLARGE,
                         "the payload has %zu bytes, the limit is %zu: pass a file's name instead",
                         reader.payload.length, MAX_PAYLOAD);
    return settle(&reader, defaults);
}
