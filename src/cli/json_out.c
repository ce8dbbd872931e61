/*
 * Writing JSON; see text.h. Payloads and results are JSON already (the library checked them when
 * they came in) and are passed through untouched, so that numbers of any size survive.
 */
#include <string.h>

#include "text.h"
#include "values.h"

static void put_escaped(FILE *out, uint32_t code)
{
    switch (code) {
    case '"':
        fputs("\\\"", out);
        break;
    case '\\':
        fputs("\\\\", out);
        break;
    case '\n':
        fputs("\\n", out);
        break;
    case '\r':
        fputs("\\r", out);
        break;
    case '\t':
        fputs("\\t", out);
        break;
    default:
        fprintf(out, "\\u%04x", (unsigned)code);
    }
}

/* Must be escaped: by JSON's rules, or because a terminal would obey it. */
static bool must_escape(uint32_t code)
{
    return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7F && code <= 0x9F) ||
           code == 0x2028 || code == 0x2029;
}

void cli_json_text(FILE *out, const char *text)
{
    if (text)
        cli_json_bytes(out, text, strlen(text));
    else
        fputs("null", out);
}

void cli_json_bytes(FILE *out, const char *text, size_t length)
{
    fputc('"', out);
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t used = cli_utf8(&code, text + at, length - at);
        if (used == 0) {
            fputs("\xEF\xBF\xBD", out);
            used = 1;
        } else if (must_escape(code)) {
            put_escaped(out, code);
        } else {
            fwrite(text + at, 1, used, out);
        }
        at += used;
    }
    fputc('"', out);
}

void cli_json_raw(FILE *out, const char *json)
{
    fputs(json ? json : "null", out);
}

void cli_json_key(FILE *out, bool *first, const char *key)
{
    if (!*first)
        fputc(',', out);
    *first = false;
    cli_json_text(out, key);
    fputc(':', out);
}

void cli_json_time(FILE *out, qk_time time)
{
    char text[CLI_TIME_SIZE];
    cli_json_text(out, time.us == 0 ? NULL : cli_time_utc(text, time));
}

void cli_json_id(FILE *out, qk_id id)
{
    char text[QK_ID_TEXT_SIZE];
    cli_json_text(out, qk_id_is_none(id) ? NULL : qk_id_format(text, id));
}
