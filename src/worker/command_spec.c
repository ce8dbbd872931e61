/*
 * What a job's command is; see command_spec.h. Any thread.
 */
#include "worker/command_spec.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"

/* The payload can never become right. */
static qk_status bad(qk_error *err, const char *what)
{
    return qk__error(err, QK_EINVAL, "payload of the command: %s", what);
}

static qk_status take_argv(qk__command_spec *spec, qk_error *err)
{
    json_t *argv = json_object_get(spec->payload, "argv");
    size_t count = json_array_size(argv);

    if (count == 0)
        return bad(err, "\"argv\" must be a list of strings, the program first");
    spec->own_argv = calloc(count + 1, sizeof(*spec->own_argv));
    if (!spec->own_argv)
        return qk__error(err, QK_ENOMEM, "out of memory for a command");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(argv, i));
        if (!text)
            return bad(err, "\"argv\" must hold strings only");
        spec->own_argv[i] = (char *)(uintptr_t)text;
    }
    spec->argv = spec->own_argv;
    return spec->argv[0][0] ? QK_OK : bad(err, "the program's name is empty");
}

static qk_status take_env(qk__command_spec *spec, qk_error *err)
{
    json_t *env = json_object_get(spec->payload, "env");
    const char *name;
    json_t *value;

    if (env && !json_is_null(env) && !json_is_object(env))
        return bad(err, "\"env\" must be an object");
    json_object_foreach(env, name, value)
    {
        if (!*name || strchr(name, '='))
            return bad(err, "a name in \"env\" is empty or has a = in it");
        if (!json_is_string(value))
            return bad(err, "the values in \"env\" must be strings");
    }
    spec->env = json_is_object(env) ? env : NULL;
    return QK_OK;
}

/* A string or NULL for absent and null. */
static qk_status take_string(const char **out, json_t *object, const char *key, qk_error *err)
{
    json_t *value = json_object_get(object, key);

    *out = json_string_value(value);
    if (value && !json_is_string(value) && !json_is_null(value))
        return qk__error(err, QK_EINVAL, "payload of the command: \"%s\" must be a string", key);
    return QK_OK;
}

/* A whole number from 1 to `most`; absent and null leave *out as it is. */
static qk_status take_number(uint64_t *out, json_t *object, const char *key, int64_t most,
                             qk_error *err)
{
    json_t *value = json_object_get(object, key);
    json_int_t number = json_integer_value(value);

    if (!value || json_is_null(value))
        return QK_OK;
    if (!json_is_integer(value) || number < 1 || number > most)
        return qk__error(err, QK_EINVAL,
                         "payload of the command: \"%s\" must be a whole number from 1 to %lld",
                         key, (long long)most);
    *out = (uint64_t)number;
    return QK_OK;
}

static qk_status take_limits(qk__command_spec *spec, qk_error *err)
{
    json_t *limits = json_object_get(spec->payload, "limits");
    const struct {
        const char *key;
        uint64_t *out;
        int64_t most;
    } all[] = {
        { "memory", &spec->limits.memory, INT64_MAX },
        { "cpu_seconds", &spec->limits.cpu_seconds, INT32_MAX },
        { "open_files", &spec->limits.open_files, INT32_MAX },
        { "file_size", &spec->limits.file_size, INT64_MAX },
    };
    qk_status rc = QK_OK;

    if (!limits || json_is_null(limits))
        return QK_OK;
    if (!json_is_object(limits))
        return bad(err, "\"limits\" must be an object");
    for (size_t i = 0; rc == QK_OK && i < sizeof(all) / sizeof(all[0]); i++)
        rc = take_number(all[i].out, limits, all[i].key, all[i].most, err);
    return rc;
}

static qk_status read_payload(qk__command_spec *spec, const qk_claimed *claim, qk_error *err)
{
    json_error_t error;
    uint64_t slots = 1;

    spec->payload = json_loadb(claim->payload, claim->payload_length, 0, &error);
    if (!json_is_object(spec->payload))
        return bad(err, "it must be an object with \"argv\"");
    qk_status rc = take_argv(spec, err);
    if (rc == QK_OK)
        rc = take_string(&spec->cwd, spec->payload, "cwd", err);
    if (rc == QK_OK)
        rc = take_string(&spec->input, spec->payload, "stdin", err);
    if (rc == QK_OK)
        rc = take_env(spec, err);
    if (rc == QK_OK)
        rc = take_number(&slots, spec->payload, "slots", 1000000, err);
    if (rc == QK_OK)
        rc = take_limits(spec, err);
    if (rc == QK_OK && spec->input)
        spec->input_length = json_string_length(json_object_get(spec->payload, "stdin"));
    if (rc == QK_OK && spec->cwd && !*spec->cwd)
        rc = bad(err, "\"cwd\" is empty");
    spec->slots = (int)slots;
    return rc;
}

qk_status qk__command_spec_read(qk__command_spec *out, const qk_claimed *claim,
                                const qk__program *program, qk_error *err)
{
    memset(out, 0, sizeof(*out));
    out->slots = 1;
    if (!program)
        return read_payload(out, claim, err);
    out->argv = program->argv;
    out->cwd = program->cwd;
    out->limits = program->limits;
    out->input = claim->payload;
    out->input_length = claim->payload_length;
    return QK_OK;
}

void qk__command_spec_dispose(qk__command_spec *spec)
{
    free(spec->own_argv);
    qk__secrets_dispose(&spec->secrets);
    json_decref(spec->payload);
}

qk__program *qk__program_new(const char *const *argv, const char *cwd, const qk_limits *limits)
{
    qk__program *program = calloc(1, sizeof(*program));
    size_t count = 0;
    bool good = program != NULL;

    while (argv[count])
        count++;
    if (good) {
        program->argv = calloc(count + 1, sizeof(*program->argv));
        program->cwd = cwd ? strdup(cwd) : NULL;
        program->limits = limits ? *limits : (qk_limits){ 0 };
        good = program->argv && (program->cwd || !cwd);
    }
    for (size_t i = 0; good && i < count; i++) {
        program->argv[i] = strdup(argv[i]);
        good = program->argv[i] != NULL;
    }
    if (good)
        return program;
    qk__program_free(program);
    return NULL;
}

void qk__program_free(qk__program *program)
{
    if (!program)
        return;
    for (char **at = program->argv; at && *at; at++)
        free(*at);
    free(program->argv);
    free(program->cwd);
    free(program);
}
