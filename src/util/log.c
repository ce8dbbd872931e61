/*
 * Log lines; see log.h. Formats into a line of fixed size on the caller's stack, so that logging
 * neither allocates nor locks; longer lines are cut. Control characters become spaces, so that one
 * call is one line whatever a path or an error text contains.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 1024

void qk__log_write(const qk__log *log, qk_log_level level, const char *format, ...)
{
    if (!log || !log->fn)
        return;
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    int written = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (written < 0)
        return;
    for (char *c = line; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    }
    log->fn(log->user, level, line);
}
