/*
 * Filling a qk_error; see error.h. No allocation, no state; any thread that owns the qk_error.
 *
 * A message is always one line of valid length: control characters become spaces, and text cut at
 * the end of the buffer is cut at a character's boundary, not inside its UTF-8 sequence.
 */
#include "util/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops a UTF-8 sequence that the buffer's end has cut. */
static void trim_cut_character(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t have = length - start + 1;
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (have < want)
        text[start - 1] = '\0';
}

static void format_message(qk_error *err, const char *format, va_list args)
{
    int written = vsnprintf(err->message, sizeof(err->message), format, args);
    if (written < 0)
        err->message[0] = '\0';
    else if ((size_t)written >= sizeof(err->message))
        trim_cut_character(err->message, sizeof(err->message) - 1);
}

static void keep_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
    }
}

qk_status qk__error(qk_error *err, qk_status code, const char *format, ...)
{
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    format_message(err, format, args);
    va_end(args);
    keep_one_line(err->message);
    err->code = code;
    err->system_errno = 0;
    return code;
}

qk_status qk__error_errno(qk_error *err, qk_status code, int system_errno, const char *format, ...)
{
    if (system_errno == ENOSPC || system_errno == EDQUOT)
        code = QK_EFULL;
    else if (system_errno == ENOMEM)
        code = QK_ENOMEM;
    if (!err)
        return code;
    va_list args;
    va_start(args, format);
    format_message(err, format, args);
    va_end(args);

    char text[128];
    /* The GNU strerror_r: the answer need not be in `text`. */
    const char *reason = strerror_r(system_errno, text, sizeof(text));
    size_t used = strlen(err->message);
    int written = snprintf(err->message + used, sizeof(err->message) - used, ": %s", reason);
    if (written > 0 && (size_t)written >= sizeof(err->message) - used)
        trim_cut_character(err->message, sizeof(err->message) - 1);
    keep_one_line(err->message);
    err->code = code;
    err->system_errno = system_errno;
    return code;
}
