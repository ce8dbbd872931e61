/*
 * top on the terminal, with ncurses; see top.h. Built only with QUEUACK_TOP; otherwise the command
 * still prints its picture once.
 *
 * The screen is left as it was found, also after a signal: signals are deferred and looked for
 * between two keys.
 */
#include "top.h"

#ifdef QUEUACK_TOP

#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "curses_text.h"
#include "values.h"

#define KEY_WAIT_MS 100

enum pair { PAIR_ALERT = 1, PAIR_HEAD, PAIR_GOOD };

typedef struct screen {
    cli *cli;
    top_data *data;
    bool colours;
    int line; /* the next one to be drawn */
    size_t first; /* running jobs scrolled away */
} screen;

static void attribute(const screen *screen, enum pair pair, bool on)
{
    attr_t plain = pair == PAIR_GOOD ? A_NORMAL : A_BOLD;
    attr_t wanted = screen->colours ? (attr_t)COLOR_PAIR(pair) | plain : plain;
    if (on)
        attron((int)wanted);
    else
        attroff((int)wanted);
}

/* Widths for this window: fixed ones, the open one takes what is left; the last columns go when
 * there is no room. Returns how many columns are drawn. */
static size_t fit(const top_section *section, int room, int *widths)
{
    size_t count = section->column_count;
    while (count > 1) {
        int fixed = 0;
        for (size_t i = 0; i < count; i++)
            fixed += section->columns[i].width + 1;
        if (fixed + 12 <= room)
            break;
        count--;
    }
    int left = room;
    for (size_t i = 0; i < count; i++)
        left -= section->columns[i].width + 1;
    for (size_t i = 0; i < count; i++)
        widths[i] = section->columns[i].width ? section->columns[i].width : left;
    return count;
}

static void draw_row(const screen *screen, const top_section *section, const top_row *row,
                     const int *widths, size_t count)
{
    move(screen->line, 0);
    if (row && row->alert)
        attribute(screen, PAIR_ALERT, true);
    for (size_t i = 0; i < count; i++) {
        cli_curses_cell(row ? row->cell[i] : section->columns[i].head, widths[i],
                        section->columns[i].right);
        addch(' ');
    }
    if (row && row->alert)
        attribute(screen, PAIR_ALERT, false);
}

/* In `lines` lines: a head, what fits of the rows, and a blank line where there is room for it. */
static void draw_section(screen *screen, const top_section *section, int lines, size_t first)
{
    int widths[TOP_COLUMNS_MAX];
    size_t columns = fit(section, COLS - 1, widths);
    size_t room = lines >= 4 ? (size_t)lines - 2 : (size_t)lines - 1;
    size_t rows = section->count > first ? section->count - first : 0;
    int end = screen->line + lines;
    if (lines < 2)
        return;
    attribute(screen, PAIR_HEAD, true);
    draw_row(screen, section, NULL, widths, columns);
    attribute(screen, PAIR_HEAD, false);
    screen->line++;
    for (size_t i = 0; i < rows && i < room; i++, screen->line++) {
        if (i + 1 == room && rows > room)
            mvprintw(screen->line, 0, "… %zu more", rows - i);
        else
            draw_row(screen, section, &section->rows[first + i], widths, columns);
    }
    if (section->count == 0)
        mvprintw(screen->line, 0, "no %s", section->title);
    screen->line = end;
}

static void draw_head(screen *screen)
{
    char text[256];
    char time[CLI_TIME_SIZE];
    char line[400];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    cli_time_local(time, (qk_time){ (int64_t)now.tv_sec * 1000000 });
    attribute(screen, PAIR_HEAD, true);
    snprintf(line, sizeof(line), "queuack top  %s", screen->data->path);
    move(0, 0);
    cli_curses_cell(line, COLS - 10 > 0 ? COLS - 10 : 1, false);
    mvaddstr(0, COLS - 9 > 0 ? COLS - 9 : 0, time + (strlen(time) > 11 ? 11 : 0));
    attribute(screen, PAIR_HEAD, false);
    move(1, 0);
    top_data_totals(screen->data, text, sizeof(text));
    cli_curses_cell(text, COLS - 1, false);
    screen->line = 2;
    if (screen->data->busy) {
        move(screen->line++, 0);
        attribute(screen, PAIR_ALERT, true);
        cli_curses_cell(screen->data->taken.us
                            ? "another process has the store: this is how it was before"
                            : "another process has the store: nothing can be seen until it ends",
                        COLS - 1, false);
        attribute(screen, PAIR_ALERT, false);
    }
    screen->line++;
}

/* Lines for each part, its head and a blank one included: a third each at first, then what others
 * leave over to those who want more, from the top down. */
static void share_lines(const top_section *section, int room, int *lines)
{
    int left = room;
    for (size_t i = 0; i < TOP_PARTS; i++) {
        int wanted = (int)section[i].count + 2 > 3 ? (int)section[i].count + 2 : 3;
        lines[i] = wanted < room / TOP_PARTS ? wanted : room / TOP_PARTS;
        left -= lines[i];
    }
    for (size_t i = 0; i < TOP_PARTS; i++) {
        int more = (int)section[i].count + 2 - lines[i];
        more = more < 0 ? 0 : more > left ? left : more;
        lines[i] += more;
        left -= more;
    }
}

static void draw(screen *screen)
{
    const top_section *section = screen->data->section;
    erase();
    draw_head(screen);
    if (LINES >= 8 && COLS >= 30) {
        int lines[TOP_PARTS];
        share_lines(section, LINES - 1 - screen->line, lines);
        for (size_t i = 0; i < TOP_PARTS; i++)
            draw_section(screen, &section[i], lines[i], i == TOP_RUNNING ? screen->first : 0);
    }
    move(LINES - 1, 0);
    cli_curses_cell("q quits  space looks again  up/down scroll the jobs", COLS - 1, false);
    refresh();
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Keys until it is time to look again; false: to end. */
static bool keys(screen *screen, int64_t until_ms)
{
    while (now_ms() < until_ms && !cli_interrupted) {
        int key = getch();
        size_t jobs = screen->data->section[TOP_RUNNING].count;
        if (key == 'q' || key == 'Q')
            return false;
        if (key == ' ')
            return true;
        if (key == KEY_UP && screen->first > 0)
            screen->first--;
        if (key == KEY_DOWN && screen->first + 1 < jobs)
            screen->first++;
        if (key == KEY_RESIZE || key == KEY_UP || key == KEY_DOWN)
            draw(screen);
    }
    return !cli_interrupted;
}

static void set_up(screen *screen)
{
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    curs_set(0);
    timeout(KEY_WAIT_MS);
    set_escdelay(25);
    screen->colours = cli_curses_colours();
    if (screen->colours) {
        start_color();
        use_default_colors();
        init_pair(PAIR_ALERT, COLOR_RED, -1);
        init_pair(PAIR_HEAD, COLOR_CYAN, -1);
        init_pair(PAIR_GOOD, COLOR_GREEN, -1);
    }
}

qk_status top_screen_run(cli *cli, top_data *data, qk_duration interval)
{
    screen screen = { .cli = cli, .data = data };
    qk_status rc = top_data_look(cli, data); /* before the screen: a wrong path is said plainly */
    if (rc)
        return rc;
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return cli_error(&cli->err, QK_EUNSUPPORTED,
                         "this terminal is not known: set TERM, or use --once");
    cli_interrupts_defer(1);
    set_up(&screen);
    do {
        draw(&screen);
        if (!keys(&screen, now_ms() + interval.us / 1000))
            break;
        rc = top_data_look(cli, data);
    } while (!rc);
    endwin();
    delscreen(terminal);
    return !rc && cli_interrupted ? cli_error(&cli->err, QK_EINTERRUPTED, "interrupted") : rc;
}

#else

qk_status top_screen_run(cli *cli, top_data *data, qk_duration interval)
{
    (void)data;
    (void)interval;
    return cli_error(&cli->err, QK_EUNSUPPORTED,
                     "this build has no live view: use --once, or build with QUEUACK_TOP");
}

#endif
