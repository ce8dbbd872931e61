/*
 * Masking secrets; see mask.h.
 */
#include "worker/mask.h"

#include <stdlib.h>
#include <string.h>

static bool add(qk__secrets *secrets, const char *text, size_t length)
{
    if (length < QK__SECRET_LEAST)
        return true;
    qk__secret *grown = realloc(secrets->items, (secrets->count + 1) * sizeof(*grown));
    if (!grown)
        return false;
    secrets->items = grown;
    grown[secrets->count].text = qk__dup_text(text, length);
    grown[secrets->count].length = length;
    return grown[secrets->count].text && ++secrets->count;
}

bool qk__secrets_add(qk__secrets *secrets, const char *value)
{
    qk__buffer json;
    size_t length = strlen(value);
    qk__buffer_init(&json, SIZE_MAX / 2);
    bool good = add(secrets, value, length) && qk__buffer_json_string(&json, value, length);
    /* Without its quotes. */
    if (good && json.length != length + 2)
        good = add(secrets, json.data + 1, json.length - 2);
    qk__buffer_dispose(&json);
    return good;
}

void qk__secrets_dispose(qk__secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++)
        free(secrets->items[i].text);
    free(secrets->items);
    *secrets = (qk__secrets){ NULL, 0 };
}

/* Bytes of the longest secret that text begins with; 0: none. *open: a longer one may be at hand. */
static size_t match(bool *open, const qk__secrets *secrets, const char *text, size_t length)
{
    size_t longest = 0;
    *open = false;
    for (size_t i = 0; i < secrets->count; i++) {
        const qk__secret *secret = &secrets->items[i];
        size_t common = secret->length < length ? secret->length : length;
        if (secret->text[0] != text[0] || memcmp(secret->text, text, common) != 0)
            continue;
        if (common < secret->length)
            *open = true;
        else if (secret->length > longest)
            longest = secret->length;
    }
    return longest;
}

bool qk__mask(qk__buffer *out, qk__buffer *held, const qk__secrets *secrets, const char *data,
              size_t length, bool last)
{
    size_t at = 0, plain = 0; /* what has been looked at; where text not yet moved begins */
    bool good = qk__buffer_append(held, data, length);
    while (good && at < held->length) {
        bool open;
        size_t found = match(&open, secrets, held->data + at, held->length - at);
        if (open && !last)
            break;
        if (found > 0) {
            good = qk__buffer_append(out, held->data + plain, at - plain) &&
                   qk__buffer_text(out, "***");
            plain = at + found;
        }
        at += found ? found : 1;
    }
    good = good && qk__buffer_append(out, held->data + plain, at - plain);
    if (!good) {
        qk__buffer_clear(held);
        return false;
    }
    if (at > 0)
        memmove(held->data, held->data + at, held->length - at);
    held->length -= at;
    if (held->data)
        held->data[held->length] = '\0';
    return true;
}
