/*
 * Text on terminals; see text.h. What a job wrote must not be able to move the cursor, change
 * colours or reorder a line, so every code point that could is shown as an escape.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

size_t cli_utf8(uint32_t *out, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    if (length == 0)
        return 0;
    if (at[0] < 0x80) {
        *out = at[0];
        return 1;
    }
    size_t need = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length < need)
        return 0;
    uint32_t code = at[0] & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    if ((need == 3 && code < 0x800) || (need == 4 && code < 0x10000) || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *out = code;
    return need;
}

static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C ||
           (code >= 0x200E && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

/* One code point made visible. */
typedef struct glyph {
    char text[12];
    size_t length;
    size_t width;
} glyph;

/* Reads the next one; returns the bytes used. */
static size_t next_glyph(glyph *out, const char *text, size_t length)
{
    uint32_t code = 0;
    size_t used = cli_utf8(&code, text, length);
    if (used == 0) {
        out->length = out->width =
            (size_t)snprintf(out->text, sizeof(out->text), "\\x%02x", (unsigned char)*text);
        return 1;
    }
    if (is_unsafe(code)) {
        const char *form = code == '\n'   ? "\\n"
                           : code == '\t' ? "\\t"
                           : code == '\r' ? "\\r"
                                          : NULL;
        int written = form ? snprintf(out->text, sizeof(out->text), "%s", form)
                           : snprintf(out->text, sizeof(out->text),
                                      code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
        out->length = out->width = (size_t)written;
        return used;
    }
    memcpy(out->text, text, used);
    out->length = used;
    int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);
    out->width = width < 0 ? 1 : (size_t)width;
    return used;
}

size_t cli_width(const char *text)
{
    size_t width = 0;
    size_t length = strlen(text);
    glyph shown;
    for (size_t at = 0; at < length; width += shown.width)
        at += next_glyph(&shown, text + at, length - at);
    return width;
}

void cli_put_line(FILE *out, const char *text)
{
    size_t length = strlen(text);
    glyph shown;
    for (size_t at = 0; at < length;) {
        at += next_glyph(&shown, text + at, length - at);
        fwrite(shown.text, 1, shown.length, out);
    }
}

size_t cli_put_cut(FILE *out, const char *text, size_t width)
{
    if (cli_width(text) <= width) {
        cli_put_line(out, text);
        return cli_width(text);
    }
    size_t length = strlen(text);
    size_t used = 0;
    glyph shown;
    for (size_t at = 0; at < length;) {
        at += next_glyph(&shown, text + at, length - at);
        if (used + shown.width + 1 > width)
            break;
        fwrite(shown.text, 1, shown.length, out);
        used += shown.width;
    }
    if (width > 0)
        fputs("…", out);
    return width > 0 ? used + 1 : 0;
}

void cli_put_block(FILE *out, const char *text, bool raw)
{
    if (raw) {
        fputs(text, out);
        return;
    }
    size_t length = strlen(text);
    glyph shown;
    for (size_t at = 0; at < length;) {
        if (text[at] == '\n' || text[at] == '\t') {
            fputc(text[at++], out);
            continue;
        }
        at += next_glyph(&shown, text + at, length - at);
        fwrite(shown.text, 1, shown.length, out);
    }
}

bool cli_is_terminal(void)
{
    static int known = -1;
    if (known < 0)
        known = isatty(STDOUT_FILENO) == 1;
    return known;
}

size_t cli_terminal_width(void)
{
    static size_t known;
    struct winsize size = { 0 };
    if (!cli_is_terminal())
        return 0;
    if (known == 0)
        known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    return known;
}

static bool colours(void)
{
    static int known = -1;
    if (known < 0) {
        const char *none = getenv("NO_COLOR");
        const char *term = getenv("TERM");
        known = cli_is_terminal() && !(none && *none) && term && strcmp(term, "dumb") != 0;
    }
    return known;
}

const char *cli_colour_on(cli_colour colour)
{
    static const char *const codes[] = { "",         "\033[1m",  "\033[2m", "\033[31m",
                                         "\033[32m", "\033[33m", "\033[34m" };
    return colours() ? codes[colour] : "";
}

const char *cli_colour_off(void)
{
    return colours() ? "\033[0m" : "";
}
