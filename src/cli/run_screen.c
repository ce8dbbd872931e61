/*
 * See run_screen.h. The program's own thread.
 */
#include "run_screen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#ifdef QUEUACK_TOP

#include <curses.h>

#include "curses_text.h"
#include "run_rows.h"
#include "text.h"
#include "values.h"

#define SHOW_AFTER_US 300000
#define REDRAW_US 100000
#define BAR_WIDTH 12
#define TIME_WIDTH 9
#define NARROW 60 /* below: no bars */

enum pair { PAIR_RED = 1, PAIR_GREEN, PAIR_YELLOW, PAIR_BLUE };

struct run_screen {
    const run_model *model;
    run_eta eta;
    int slots;
    SCREEN *terminal; /* NULL: not taken yet */
    run_rows rows;
    bool colours, utf8;
    bool all; /* nothing is folded */
    size_t first; /* rows scrolled away */
    bool broken; /* the terminal is not known */
    int64_t drawn_us;
};

bool run_screen_possible(void)
{
    const char *term = getenv("TERM");
    return cli_is_terminal() && isatty(STDIN_FILENO) == 1 && term && *term &&
           strcmp(term, "dumb") != 0;
}

/* As the environment says it: the program itself always works in UTF-8. */
static bool wants_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

qk_status run_screen_open(run_screen **out, const run_model *model, qk_dag *dag, int slots)
{
    run_screen *screen = calloc(1, sizeof(*screen));
    if (!screen)
        return cli_error(&model->cli->err, QK_ENOMEM, "out of memory");
    screen->model = model;
    screen->eta.dag = dag;
    screen->slots = slots;
    screen->utf8 = wants_utf8();
    *out = screen;
    return QK_OK;
}

/* False: a terminal that is not known; then nothing is drawn. */
static bool take_terminal(run_screen *screen)
{
    if (screen->terminal || screen->broken)
        return screen->terminal != NULL;
    screen->terminal = newterm(NULL, stdout, stdin);
    screen->broken = screen->terminal == NULL;
    if (screen->broken)
        return false;
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    curs_set(0);
    timeout(0);
    set_escdelay(25);
    screen->colours = cli_curses_colours();
    if (screen->colours) {
        start_color();
        use_default_colors();
        init_pair(PAIR_RED, COLOR_RED, -1);
        init_pair(PAIR_GREEN, COLOR_GREEN, -1);
        init_pair(PAIR_YELLOW, COLOR_YELLOW, -1);
        init_pair(PAIR_BLUE, COLOR_CYAN, -1);
    }
    run_eta_init(&screen->eta, screen->model, screen->eta.dag);
    return true;
}

typedef struct look {
    const char *symbol, *plain; /* in UTF-8, in ASCII */
    enum pair pair; /* 0: none */
} look;

static look look_of(const run_task *task)
{
    switch (task->status) {
    case QK_JOB_CLAIMED:
        return (look){ "▶", ">", PAIR_BLUE };
    case QK_JOB_DONE:
        return (look){ "✓", "+", PAIR_GREEN };
    case QK_JOB_FAILED:
        return (look){ "✗", "x", PAIR_RED };
    case QK_JOB_SKIPPED:
        return (look){ "–", "-", 0 };
    case QK_JOB_CANCELLED:
        return (look){ "■", "#", PAIR_YELLOW };
    default:
        return task->failed_before ? (look){ "↻", "~", PAIR_YELLOW } : (look){ "·", ".", 0 };
    }
}

static void colour(const run_screen *screen, enum pair pair, bool on)
{
    attr_t wanted = pair == 0 ? A_DIM : screen->colours ? (attr_t)COLOR_PAIR(pair) : A_BOLD;
    if (on)
        attron((int)wanted);
    else
        attroff((int)wanted);
}

/* "[####....]" */
static void put_bar(double part, int width)
{
    int full = (int)(part * (width - 2) + 0.5);
    addch('[');
    for (int i = 0; i < width - 2; i++)
        addch(i < full ? '#' : '.');
    addch(']');
}

static uint64_t ended(const uint64_t counts[QK_JOB_STATUS_COUNT])
{
    return counts[QK_JOB_DONE] + counts[QK_JOB_FAILED] + counts[QK_JOB_SKIPPED] +
           counts[QK_JOB_CANCELLED];
}

/* How far it is, from 0 to 1, and a word beside it; negative: nothing is known. */
static double part_of(const run_screen *screen, const run_task *task, char *note, size_t size)
{
    note[0] = '\0';
    if (task->child != RUN_NONE) {
        const run_part *run = &screen->model->parts[task->child];
        snprintf(note, size, "%llu/%zu", (unsigned long long)ended(run->counts), run->count);
        if (run->counts[QK_JOB_FAILED])
            snprintf(note + strlen(note), size - strlen(note), " %llu failed",
                     (unsigned long long)run->counts[QK_JOB_FAILED]);
        return run->count ? (double)ended(run->counts) / (double)run->count : 0;
    }
    if (task->status == QK_JOB_CLAIMED && task->progress >= 0) {
        snprintf(note, size, "%3.0f %% %s", task->progress * 100, task->message);
        return task->progress;
    }
    if (task->status == QK_JOB_FAILED || task->failed_before)
        snprintf(note, size, "%s", task->error ? task->error : "");
    return -1;
}

static void put_time(const run_task *task, int64_t now)
{
    char text[CLI_TIME_SIZE] = "";
    if (task->status == QK_JOB_CLAIMED && task->started_us)
        cli_duration_text(text, (now - task->started_us) / 100000 * 100000);
    else if (qk_job_status_is_terminal(task->status) && task->took_us >= 0)
        cli_duration_text(text, task->took_us);
    cli_curses_cell(text, TIME_WIDTH, true);
}

static void draw_task(const run_screen *screen, const run_row *row, int64_t now)
{
    const run_task *task = &screen->model->tasks[row->task];
    char note[160];
    look look = look_of(task);
    int indent = 2 * row->depth < COLS / 3 ? 2 * row->depth : COLS / 3;
    int room = COLS - 1 - TIME_WIDTH - indent - 2;
    double part = part_of(screen, task, note, sizeof(note));
    bool bar = part >= 0 && COLS >= NARROW && task->status == QK_JOB_CLAIMED;
    int notes = !*note ? 0 : COLS >= NARROW ? room / 3 : 0;
    int name = room - notes - (bar ? BAR_WIDTH + 1 : 0);
    printw("%*s", indent, "");
    colour(screen, look.pair, true);
    addstr(screen->utf8 ? look.symbol : look.plain);
    colour(screen, look.pair, false);
    addch(' ');
    cli_curses_cell(task->name, name, false);
    if (bar) {
        put_bar(part, BAR_WIDTH);
        addch(' ');
    }
    cli_curses_cell(note, notes, false);
    put_time(task, now);
}

static void draw_folded(const run_row *row)
{
    static const struct {
        qk_job_status status;
        const char *word;
    } words[] = {
        { QK_JOB_DONE, "done" },           { QK_JOB_PENDING, "waiting" },
        { QK_JOB_DELAYED, "delayed" },     { QK_JOB_SKIPPED, "skipped" },
        { QK_JOB_CANCELLED, "cancelled" },
    };
    char text[160] = "";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t used = strlen(text);
        if (row->counts[words[i].status])
            snprintf(text + used, sizeof(text) - used, "%s%llu %s", used ? ", " : "",
                     (unsigned long long)row->counts[words[i].status], words[i].word);
    }
    int indent = 2 * row->depth < COLS / 3 ? 2 * row->depth : COLS / 3;
    attron(A_DIM);
    printw("%*s", indent + 2, "");
    cli_curses_cell(text, COLS - 1 - indent - 2, false);
    attroff(A_DIM);
}

static void draw_tail(const run_row *row)
{
    char *text = strndup(row->text, row->length);
    int indent = 2 * row->depth < COLS / 3 ? 2 * row->depth : COLS / 3;
    printw("%*s| ", indent, "");
    cli_curses_cell(text, COLS - 1 - indent - 2, false);
    free(text);
}

static void draw_head(run_screen *screen, int64_t now)
{
    const run_model *model = screen->model;
    const run_part *root = &model->parts[0];
    char spent[CLI_TIME_SIZE], left[CLI_TIME_SIZE], line[256];
    int64_t eta = run_eta_left(&screen->eta, model, screen->slots);
    uint64_t over = ended(root->counts);
    int used = snprintf(line, sizeof(line), "%llu/%zu", (unsigned long long)over, root->count);
    if (root->counts[QK_JOB_FAILED])
        used += snprintf(line + used, sizeof(line) - (size_t)used, ", %llu failed",
                         (unsigned long long)root->counts[QK_JOB_FAILED]);
    used += snprintf(line + used, sizeof(line) - (size_t)used, "  %s",
                     cli_duration_text(spent, (now - model->began_us) / 1000000 * 1000000));
    if (eta >= 1000000)
        snprintf(line + used, sizeof(line) - (size_t)used, ", about %s left",
                 cli_duration_text(left, eta / 1000000 * 1000000));
    int width = (int)cli_width(line);
    bool bar = COLS >= NARROW;
    move(0, 0);
    attron(A_BOLD);
    cli_curses_cell(root->name, COLS - 2 - width - (bar ? 2 * BAR_WIDTH + 1 : 0), false);
    attroff(A_BOLD);
    addch(' ');
    if (bar) {
        put_bar(root->count ? (double)over / (double)root->count : 0, 2 * BAR_WIDTH);
        addch(' ');
    }
    cli_curses_cell(line, width, false);
}

static void draw(run_screen *screen, bool cancelling)
{
    int64_t now = run_now_us();
    size_t room = LINES > 3 ? (size_t)LINES - 3 : 1;
    run_rows_make(&screen->rows, screen->model, room, screen->all);
    size_t count = screen->rows.count;
    size_t last = count > room ? count - room : 0;
    if (screen->first > last)
        screen->first = last;
    erase();
    draw_head(screen, now);
    for (size_t i = 0; i < room && screen->first + i < count; i++) {
        const run_row *row = &screen->rows.items[screen->first + i];
        move((int)i + 1, 0);
        if (i + 1 == room && screen->first + room < count)
            printw("  %zu more lines below", count - screen->first - i);
        else if (row->type == RUN_ROW_TASK)
            draw_task(screen, row, now);
        else if (row->type == RUN_ROW_FOLDED)
            draw_folded(row);
        else
            draw_tail(row);
    }
    move(LINES - 1, 0);
    cli_curses_cell(cancelling    ? "cancelling: Ctrl-C once more to stop at once"
                    : screen->all ? "Ctrl-C cancels  a folds  up/down scroll"
                                  : "Ctrl-C cancels  a shows all  up/down scroll",
                    COLS - 1, false);
    refresh();
    screen->drawn_us = now;
}

/* True if something is to be drawn. */
static bool take_keys(run_screen *screen)
{
    size_t page = LINES > 4 ? (size_t)LINES - 4 : 1;
    bool any = false;
    for (int key = getch(); key != ERR; key = getch(), any = true) {
        if (key == 'a')
            screen->all = !screen->all;
        else if (key == KEY_UP)
            screen->first -= screen->first > 0;
        else if (key == KEY_DOWN)
            screen->first++;
        else if (key == KEY_PPAGE)
            screen->first -= screen->first < page ? screen->first : page;
        else if (key == KEY_NPAGE)
            screen->first += page;
    }
    return any;
}

void run_screen_tick(run_screen *screen, bool cancelling)
{
    int64_t now = run_now_us();
    if (now - screen->model->began_us < SHOW_AFTER_US || !take_terminal(screen))
        return;
    if (take_keys(screen) || now - screen->drawn_us >= REDRAW_US)
        draw(screen, cancelling);
}

void run_screen_close(run_screen *screen)
{
    if (!screen)
        return;
    if (screen->terminal) {
        endwin();
        delscreen(screen->terminal);
    }
    run_eta_dispose(&screen->eta);
    run_rows_dispose(&screen->rows);
    free(screen);
}

#else

bool run_screen_possible(void)
{
    return false;
}

qk_status run_screen_open(run_screen **out, const run_model *model, qk_dag *dag, int slots)
{
    (void)out;
    (void)dag;
    (void)slots;
    return cli_error(&model->cli->err, QK_EUNSUPPORTED, "this build has no live view: use --plain");
}

void run_screen_tick(run_screen *screen, bool cancelling)
{
    (void)screen;
    (void)cancelling;
}

void run_screen_close(run_screen *screen)
{
    (void)screen;
}

#endif
