/*
 * See curses_text.h. What jobs wrote is made harmless on its way.
 */
#include "curses_text.h"

#ifdef QUEUACK_TOP

#include <curses.h>
#include <stdlib.h>

#include "text.h"

void cli_curses_cell(const char *text, int width, bool right)
{
    char *shown = NULL;
    size_t size = 0;
    int used = (int)cli_width(text ? text : "");
    FILE *out = width > 0 ? open_memstream(&shown, &size) : NULL;
    if (!out)
        return;
    if (text)
        used = (int)cli_put_cut(out, text, (size_t)width);
    if (fclose(out) == 0) {
        int pad = used < width ? width - used : 0;
        printw("%*s%s%*s", right ? pad : 0, "", shown, right ? 0 : pad, "");
    }
    free(shown);
}

bool cli_curses_colours(void)
{
    const char *none = getenv("NO_COLOR");
    return !(none && *none) && has_colors();
}

#endif
