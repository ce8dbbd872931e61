/*
 * The progress line; see progress.h. `lock` guards everything in it while the thread runs.
 */
#include "progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "values.h"

#define SHOW_AFTER_US 300000
#define REDRAW_US 100000
#define BAR_MAX 30
#define LINE_SIZE 512

struct cli_progress {
    const char *verb;
    uint64_t done, total;
    char note[80];
    int64_t started_us, drawn_us;
    bool visible;
    bool runs; /* the thread */
    bool stopping;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Asked each time: the window may have been resized. */
static size_t window_width(void)
{
    struct winsize size = { 0 };
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col : 80;
}

/* "1234567" with separators, for people. */
static char *grouped(char out[32], uint64_t number)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
    return out;
}

/* "[###...] "; `out` has room for BAR_MAX and four more. */
static void put_bar(char *out, const cli_progress *progress, size_t width)
{
    size_t full = (size_t)((double)progress->done / (double)progress->total * (double)width);
    size_t used = 0;
    out[used++] = '[';
    for (size_t i = 0; i < width; i++)
        out[used++] = i < full ? '#' : '.';
    out[used++] = ']';
    out[used++] = ' ';
    out[used] = '\0';
}

static void compose(const cli_progress *progress, int64_t now, char *out, size_t size, size_t room)
{
    char done[32];
    char total[32];
    char time[CLI_TIME_SIZE];
    char bar[BAR_MAX + 8] = "";
    char tail[160] = "";
    int64_t spent = now - progress->started_us;
    grouped(done, progress->done);
    if (progress->total) {
        double part = (double)progress->done / (double)progress->total;
        int64_t left = progress->done ? (int64_t)((double)spent / part) - spent : 0;
        if (room >= 60)
            put_bar(bar, progress, room >= 80 ? BAR_MAX : 12);
        snprintf(tail, sizeof(tail), "%3.0f %%  %s of %s", part * 100, done,
                 grouped(total, progress->total));
        if (left >= 1000000) {
            size_t used = strlen(tail);
            left = left / 1000000 * 1000000;
            snprintf(tail + used, sizeof(tail) - used, "  %s left", cli_duration_text(time, left));
        }
    } else {
        snprintf(tail, sizeof(tail), "%s  %s", spent / 500000 % 2 ? "..." : ".. ",
                 cli_duration_text(time, spent / 1000000 * 1000000));
    }
    snprintf(out, size, "%s %s%s%s%s", progress->verb, bar, tail, *progress->note ? "  " : "",
             progress->note);
}

/* With the lock held. */
static void draw(cli_progress *progress)
{
    char line[LINE_SIZE];
    int64_t now = now_us();
    size_t room = window_width() - 1;
    if (now - progress->started_us < SHOW_AFTER_US || now - progress->drawn_us < REDRAW_US)
        return;
    compose(progress, now, line, sizeof(line), room);
    fputs("\r\033[K", stderr);
    if (cli_width(line) > room)
        cli_put_cut(stderr, line, room);
    else
        cli_put_line(stderr, line);
    fflush(stderr);
    progress->drawn_us = now;
    progress->visible = true;
}

static void *keep_moving(void *argument)
{
    cli_progress *progress = argument;
    pthread_mutex_lock(&progress->lock);
    while (!progress->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += REDRAW_US * 1000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
        if (!progress->stopping)
            draw(progress);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

/* Signals stay with the program's own thread. */
static void start_thread(cli_progress *progress)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    progress->runs = pthread_create(&progress->thread, NULL, keep_moving, progress) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

cli_progress *cli_progress_start(const cli *cli, const char *verb, uint64_t total)
{
    pthread_condattr_t attributes;
    const char *term = getenv("TERM");
    if (cli->quiet || isatty(STDERR_FILENO) != 1 || !term || strcmp(term, "dumb") == 0)
        return NULL;
    cli_progress *progress = calloc(1, sizeof(*progress));
    if (!progress)
        return NULL;
    progress->verb = verb;
    progress->total = total;
    progress->started_us = now_us();
    pthread_mutex_init(&progress->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&progress->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (total == 0)
        start_thread(progress);
    return progress;
}

void cli_progress_at(cli_progress *progress, uint64_t done, uint64_t total, const char *note)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    progress->done = done;
    progress->total = total;
    snprintf(progress->note, sizeof(progress->note), "%s", note ? note : "");
    draw(progress);
    pthread_mutex_unlock(&progress->lock);
}

void cli_progress_end(cli_progress *progress)
{
    if (!progress)
        return;
    if (progress->runs) {
        pthread_mutex_lock(&progress->lock);
        progress->stopping = true;
        pthread_cond_signal(&progress->wake);
        pthread_mutex_unlock(&progress->lock);
        pthread_join(progress->thread, NULL);
    }
    if (progress->visible)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
