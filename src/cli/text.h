/*
 * Text for people and JSON for programs, from strings that jobs brought along and that may hold
 * anything. All functions write to a stdio stream and leave its errors to cli_flush.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <queuack/types.h>

/* Length of the UTF-8 sequence at text[0..length), its code point in *out; 0: not UTF-8. */
size_t cli_utf8(uint32_t *out, const char *text, size_t length);
/* Columns it takes on a terminal once made visible. */
size_t cli_width(const char *text);
/* Writes it on one line with control characters, bidirectional overrides and invalid bytes as
 * escapes. */
void cli_put_line(FILE *out, const char *text);
/* The same, cut to `width` columns with an ellipsis; returns the columns written. */
size_t cli_put_cut(FILE *out, const char *text, size_t width);
/* Several lines: newlines and tabs stay. Raw when `raw`, that is, when it is not for a terminal. */
void cli_put_block(FILE *out, const char *text, bool raw);

/* A JSON string with its quotes; NULL becomes null, invalid UTF-8 U+FFFD. */
void cli_json_text(FILE *out, const char *text);
/* The same of so many bytes, which may be NUL. */
void cli_json_bytes(FILE *out, const char *text, size_t length);
/* JSON text as it is; NULL becomes null. */
void cli_json_raw(FILE *out, const char *json);
/* A comma unless *first, then "key": */
void cli_json_key(FILE *out, bool *first, const char *key);
void cli_json_time(FILE *out, qk_time time);
void cli_json_id(FILE *out, qk_id id);

/* stdout is a terminal. */
bool cli_is_terminal(void);
/* Columns of the terminal, or 0 when stdout is none. */
size_t cli_terminal_width(void);
/* Escape sequences, or "" without a terminal or with NO_COLOR. */
typedef enum cli_colour {
    CLI_PLAIN,
    CLI_BOLD,
    CLI_DIM,
    CLI_RED,
    CLI_GREEN,
    CLI_YELLOW,
    CLI_BLUE,
} cli_colour;
const char *cli_colour_on(cli_colour colour);
const char *cli_colour_off(void);

#endif
