/*
 * A run as a row of the journal, and back.
 */
#include "store/embedded/engine_internal.h"

#include <jansson.h>
#include <queuack/run.h>
#include <stdlib.h>
#include <string.h>

static void put_text(qk__buffer *out, const char *key, const char *text)
{
    if (text != NULL) {
        qk__buffer_printf(out, ",\"%s\":", key);
        qk__buffer_json_string(out, text, strlen(text));
    }
}

char *run_about(const qk__new_run *run, qk_id root)
{
    char id[QK_ID_TEXT_SIZE];
    qk__buffer text;
    qk__buffer_init(&text, SIZE_MAX / 2);
    qk__buffer_printf(&text, "\"rt\":\"%s\"", qk_id_format(id, root));
    put_text(&text, "de", run->description);
    if (run->metadata != NULL) {
        qk__buffer_printf(&text, ",\"md\":%s", run->metadata);
    }
    if (run->params != NULL) {
        qk__buffer_printf(&text, ",\"pr\":%s", run->params);
    }
    put_text(&text, "tr", run->trigger);
    if (run->scheduled_for_us != 0) {
        qk__buffer_printf(&text, ",\"sf\":%lld", (long long)run->scheduled_for_us);
    }
    char *about = text.failed ? NULL : qk__buffer_take(&text);
    qk__buffer_dispose(&text);
    return about;
}

bool run_row(const struct run *run, qk__row *row, qk__buffer *ext)
{
    size_t start = ext->length;
    memset(row, 0, sizeof *row);
    qk__buffer_printf(ext, "{%s%s%s%s%s}", run->about, run->paused ? ",\"pz\":1" : "",
                      run->cancelled ? ",\"ca\":1" : "", run->started ? ",\"st\":1" : "",
                      run->has_definition ? ",\"df\":1" : "");
    if (ext->failed) {
        return false;
    }
    row->op = QK__OP_RUN;
    row->status = run->status;
    row->priority = (uint8_t)run->depth;
    row->id = run->id;
    row->related = run->parent_job;
    row->node = (qk__text){ run->name, (uint32_t)strlen(run->name) };
    row->created_us = run->created_us;
    row->finished_us = run->ended ? run->completed_us : 0;
    row->ext = (qk__text){ (const char *)(uintptr_t)(start + 1), (uint32_t)(ext->length - start) };
    return true;
}

static char *text_of(const json_t *ext, const char *key)
{
    json_t *value = json_object_get(ext, key);
    return value == NULL || json_is_null(value) ? NULL
                                                : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* The constant part again, from its pieces. */
static qk_status load_about(struct run *run, const json_t *ext)
{
    char *metadata = text_of(ext, "md");
    char *params = text_of(ext, "pr");
    const char *root = json_string_value(json_object_get(ext, "rt"));
    if (root == NULL || qk_id_parse(&run->root, root) != QK_OK) {
        free(metadata);
        free(params);
        return QK_EDAMAGED;
    }
    qk__new_run parts = { .description = json_string_value(json_object_get(ext, "de")),
                          .metadata = metadata,
                          .params = params,
                          .trigger = json_string_value(json_object_get(ext, "tr")),
                          .scheduled_for_us = json_integer_value(json_object_get(ext, "sf")) };
    free(run->about);
    run->about = run_about(&parts, run->root);
    free(metadata);
    free(params);
    return run->about == NULL ? QK_ENOMEM : QK_OK;
}

qk_status run_load(qk__engine *engine, const qk__row *row, struct run **out)
{
    json_t *ext =
        row->ext.data == NULL ? NULL : json_loadb(row->ext.data, row->ext.length, 0, NULL);
    struct run *run = ext == NULL ? NULL : run_make(engine, row->id);
    *out = run;
    if (run == NULL) {
        qk_status rc = ext == NULL ? QK_EDAMAGED : QK_ENOMEM;
        json_decref(ext);
        return rc;
    }
    free(run->name);
    run->name = qk__dup_text(row->node.data == NULL ? "" : row->node.data, row->node.length);
    qk_status rc = load_about(run, ext);
    run->depth = row->priority > 0 ? row->priority : 1;
    run->parent_job = row->related;
    run->created_us = row->created_us;
    run->completed_us = row->finished_us;
    run->status = row->status;
    run->ended = row->status >= QK_RUN_DONE;
    run->durable_end = run->ended;
    run->paused = json_object_get(ext, "pz") != NULL;
    run->cancelled = json_object_get(ext, "ca") != NULL;
    run->started = json_object_get(ext, "st") != NULL;
    run->has_definition = json_object_get(ext, "df") != NULL;
    run->known = true;
    json_decref(ext);
    return run->name == NULL ? QK_ENOMEM : rc;
}
