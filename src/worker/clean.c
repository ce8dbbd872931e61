/*
 * Output and errors from outside made fit to be kept; see clean.h. Any thread.
 */
#include "worker/clean.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/text.h"
#include "worker/outbox.h"

#define STRING_MAX ((size_t)64 << 10)

char *qk__clean_copy(const char *text, size_t length, size_t limit)
{
    char *copy = malloc(length + 1), *cleaned = NULL;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < length; i++)
        copy[i] = text[i] ? text[i] : '\xFF'; /* never valid, so replaced below */
    copy[length] = '\0';
    qk_status rc = qk__text_clean_tail(&cleaned, copy, limit, NULL);
    if (rc == QK_OK && !cleaned)
        return copy;
    free(copy);
    return cleaned;
}

const char *qk__clean_string(const char *text)
{
    char *copy = qk__clean_copy(text, strlen(text), STRING_MAX);

    return copy ? copy : qk__text_no_memory;
}

void qk__outcome_fail(qk_outcome *outcome, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    outcome->verdict = QK_VERDICT_FAIL;
    outcome->error = qk__clean_string(text);
}
