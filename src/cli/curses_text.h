/*
 * Text on an ncurses screen. For builds with QUEUACK_TOP.
 */
#ifndef CLI_CURSES_TEXT_H
#define CLI_CURSES_TEXT_H

#include <stdbool.h>

/* Text of whatever content, at the cursor, in exactly `width` columns. */
void cli_curses_cell(const char *text, int width, bool right);
/* The terminal can, and NO_COLOR does not forbid it. After the screen was made. */
bool cli_curses_colours(void);

#endif
