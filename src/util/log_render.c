/*
 * Log records as lines; see queuack/log.h. Pure but for the last function; any thread.
 *
 * Invariants: nothing is written beyond the room that is left for the end of the line, so that a
 * line is always complete and, as JSON, an object; a text is cut between characters only.
 */
#include <queuack/log.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/utf8.h"

#define LEAST_SIZE 256
/* `,"truncated":true}` with newline and NUL, and a closing quote. */
#define TAIL 24
#define REPLACEMENT "\xEF\xBF\xBD"

static const char *const level_names[] = { "debug", "info", "warn", "error" };
#define LEVELS (sizeof(level_names) / sizeof(level_names[0]))

typedef struct line {
    char *out;
    size_t length, room; /* room: without the tail */
    bool cut;
} line;

const char *qk_log_level_name(qk_log_level level)
{
    return (unsigned)level < LEVELS ? level_names[level] : NULL;
}

qk_status qk_log_level_parse(qk_log_level *out, const char *name)
{
    for (unsigned i = 0; out && name && i < LEVELS; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (qk_log_level)i;
            return QK_OK;
        }
    }
    return QK_EINVAL;
}

/* A closing quote may stand in the tail's room. */
static size_t left_in(const line *line)
{
    return line->length < line->room ? line->room - line->length : 0;
}

/* All of it or nothing. */
static bool put(line *line, const char *text, size_t length)
{
    if (length > left_in(line)) {
        line->cut = true;
        return false;
    }
    memcpy(line->out + line->length, text, length);
    line->length += length;
    return true;
}

static uint32_t code_point(const char *text, size_t length)
{
    static const uint8_t lead_bits[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t code = (uint8_t)text[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((uint8_t)text[i] & 0x3F);
    return code;
}

/* A terminal, a pager or a reader of lines would obey it. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x200E && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

/* One character of a quoted text; both formats escape as JSON does. False: no room. */
static bool put_character(line *line, const char *text, size_t length)
{
    char escape[8];
    uint32_t code = length ? code_point(text, length) : 0;
    if (length == 0)
        return put(line, REPLACEMENT, 3);
    if (code == '"' || code == '\\') {
        escape[0] = '\\';
        escape[1] = (char)code;
        return put(line, escape, 2);
    }
    if (code == '\n')
        return put(line, "\\n", 2);
    if (code == '\t')
        return put(line, "\\t", 2);
    if (!is_unsafe(code))
        return put(line, text, length);
    snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)code);
    return put(line, escape, 6);
}

/* Quoted, cut where the room ends. False: there was no room for even the quotes. */
static bool put_quoted(line *line, const char *text)
{
    size_t left = strlen(text);
    if (!put(line, "\"", 1))
        return false;
    while (left > 0) {
        size_t length = qk__utf8_sequence(text, left);
        if (!put_character(line, text, length))
            break;
        text += length ? length : 1;
        left -= length ? length : 1;
    }
    line->out[line->length++] = '"'; /* the tail has room for it */
    return true;
}

static bool is_bare(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F || *c == '"' || *c == '=' || *c == '\\')
            return false;
    }
    return *text != '\0';
}

static void put_value(line *line, qk_log_format format, const char *text)
{
    if (format == QK_LOG_JSON || !is_bare(text) || strlen(text) > left_in(line))
        put_quoted(line, text);
    else
        put(line, text, strlen(text));
}

/* `,"key":` or ` key=`. A key without room for a value after it is left out. */
static bool put_key(line *line, qk_log_format format, const char *key)
{
    char text[80];
    const char *form = format == QK_LOG_JSON ? "%s\"%s\":" : "%s%s=";
    const char *between = format == QK_LOG_JSON ? "," : " ";
    int length =
        snprintf(text, sizeof(text), form, line->length > 1 ? between : "", key ? key : "");
    if (length < 0 || (size_t)length >= sizeof(text) || (size_t)length + 2 > left_in(line)) {
        line->cut = true;
        return false;
    }
    return put(line, text, (size_t)length);
}

static void put_text(line *line, qk_log_format format, const char *key, const char *text)
{
    if (put_key(line, format, key))
        put_value(line, format, text ? text : "");
}

static void put_number(line *line, qk_log_format format, const char *key, int64_t number)
{
    char text[24];
    size_t before = line->length;
    int length = snprintf(text, sizeof(text), "%" PRId64, number);
    if (put_key(line, format, key) && !put(line, text, (size_t)length))
        line->length = before;
}

static void put_time(line *line, qk_log_format format, qk_time time)
{
    char text[64];
    struct tm parts;
    time_t seconds = (time_t)(time.us / 1000000);
    long rest = (long)(time.us % 1000000);
    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &parts))
        return;
    size_t length = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, sizeof(text) - length, ".%06ldZ", rest);
    put_text(line, format, "time", text);
}

size_t qk_log_render(char *out, size_t size, const qk_log_record *record, qk_log_format format)
{
    bool json = format == QK_LOG_JSON;
    line line = { out, 0, size - TAIL, false };
    if (!out || size < LEAST_SIZE || !record)
        return 0;
    const char *level = qk_log_level_name(record->level);
    if (json)
        put(&line, "{", 1);
    put_time(&line, format, record->time);
    put_text(&line, format, "level", level ? level : "error");
    put_text(&line, format, "event", record->event);
    put_text(&line, format, json ? "message" : "msg", record->message);
    for (size_t i = 0; i < record->field_count; i++) {
        const qk_log_field *field = &record->fields[i];
        if (field->text)
            put_text(&line, format, field->key, field->text);
        else
            put_number(&line, format, field->key, field->number);
    }
    int tail = snprintf(out + line.length, size - line.length, "%s%s\n",
                        !line.cut ? ""
                        : json    ? ",\"truncated\":true"
                                  : " truncated=true",
                        json ? "}" : "");
    return line.length + (size_t)tail;
}

void qk_log_to_sink(void *sink, const qk_log_record *record)
{
    const qk_log_sink *to = sink;
    char text[QK_LOG_LINE_MAX];
    if (!to)
        return;
    size_t left = qk_log_render(text, sizeof(text), record, to->format);
    for (const char *at = text; left > 0;) {
        ssize_t written = write(to->fd, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        at += written;
        left -= (size_t)written;
    }
}
