/*
 * Log records; see log.h. The message is formatted into a line of fixed size on the caller's stack,
 * so that logging neither allocates nor locks; longer ones are cut. Control characters in it become
 * spaces, so that it is one line whatever a path or an error text contains.
 */
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/clock.h"

#define MESSAGE_SIZE 1024

static void hand_over(const qk__log *log, qk_log_record *record, const char *format, va_list args)
{
    char message[MESSAGE_SIZE];
    if (vsnprintf(message, sizeof(message), format, args) < 0)
        return;
    for (char *c = message; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    }
    const qk_clock clock = log->clock.wall ? log->clock : qk__clock_system();
    record->time = clock.wall(clock.user);
    record->message = message;
    log->fn(log->user, record);
}

void qk__log_event(const qk__log *log, qk_log_level level, const char *event,
                   const qk_log_field *fields, size_t field_count, const char *format, ...)
{
    if (!qk__log_wants(log, level))
        return;
    qk_log_record record = { { 0 }, level, event, NULL, fields, field_count };
    va_list args;
    va_start(args, format);
    hand_over(log, &record, format, args);
    va_end(args);
}

void qk__log_write(const qk__log *log, qk_log_level level, const char *format, ...)
{
    if (!qk__log_wants(log, level))
        return;
    qk_log_record record = { { 0 }, level, "note", NULL, NULL, 0 };
    va_list args;
    va_start(args, format);
    hand_over(log, &record, format, args);
    va_end(args);
}
