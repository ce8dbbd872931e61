/*
 * Free text made fit to be stored; see text.h. Any thread.
 */
#include "queue/text.h"

#include <stdlib.h>
#include <string.h>

#include "util/buffer.h"
#include "util/error.h"
#include "util/utf8.h"

static bool clean(const char *text, size_t length)
{
    size_t step = 1;
    for (size_t at = 0; at < length && step > 0; at += step)
        step = qk__utf8_sequence(text + at, length - at);
    return step > 0;
}

/* Appends characters while they fit. */
static bool copy(qk__buffer *buffer, const char *text, size_t length, size_t limit)
{
    size_t at = 0;
    while (at < length) {
        size_t step = qk__utf8_sequence(text + at, length - at);
        size_t width = step ? step : 3;
        if (buffer->length + width > limit)
            return true;
        if (!qk__buffer_append(buffer, step ? text + at : "\xEF\xBF\xBD", width))
            return false;
        at += step ? step : 1;
    }
    return true;
}

static qk_status take_clean(char **out, const char *text, size_t length, size_t limit,
                            qk_error *err)
{
    qk__buffer buffer;
    qk__buffer_init(&buffer, limit);
    bool good = copy(&buffer, text, length, limit);
    *out = qk__buffer_take(&buffer);
    if (good && *out)
        return QK_OK;
    free(*out);
    *out = NULL;
    return qk__error(err, QK_ENOMEM, "out of memory");
}

qk_status qk__text_clean(char **out, const char *text, size_t limit, qk_error *err)
{
    *out = NULL;
    if (!text)
        return QK_OK;
    size_t length = strlen(text);
    if (length <= limit && clean(text, length))
        return QK_OK;
    return take_clean(out, text, length, limit, err);
}

qk_status qk__text_clean_tail(char **out, const char *text, size_t limit, qk_error *err)
{
    *out = NULL;
    if (!text)
        return QK_OK;
    size_t length = strlen(text);
    if (length <= limit && clean(text, length))
        return QK_OK;
    if (length > limit) {
        text += length - limit;
        length = limit;
        while (length > 0 && ((unsigned char)*text & 0xC0) == 0x80) { /* not inside a character */
            text++;
            length--;
        }
    }
    return take_clean(out, text, length, limit, err);
}
