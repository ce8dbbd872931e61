/*
 * sim --seeds N [--start S] [--steps N]: runs N histories.   sim --seed S [-v]: replays one.
 *
 * The same seed gives the same history on every machine. Ends with 1 at the first disagreement, or
 * if many seeds never did one of the things that tally.h lists.
 */
#include "sim.h"

#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_FOR_ALL 300 /* so many must do everything at least once */

static struct world the_world;

uint64_t random_next(struct world *world)
{
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t pick(struct world *world, size_t count)
{
    return (size_t)(random_next(world) % count);
}

bool chance(struct world *world, int percent)
{
    return pick(world, 100) < (size_t)percent;
}

_Noreturn void fail(const struct world *world, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "sim: seed %llu, step %d: ", (unsigned long long)world->seed, world->step);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nreplay: sim --seed %llu --steps %d -v\n", (unsigned long long)world->seed,
            world->steps);
    exit(1);
}

void trace_line(const struct world *world, const char *format, ...)
{
    va_list arguments;
    printf("%5d  %10lld  ", world->step, (long long)world->now.mono_us);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* A crash of the engine names its seed too. */
static void on_signal(int signal_number)
{
    static const char text[] = "sim: crashed; replay: sim -v --seed ";
    char digits[24];
    size_t length = sizeof digits;
    uint64_t seed = the_world.seed;
    digits[--length] = '\n';
    do {
        digits[--length] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0 ||
        write(STDERR_FILENO, digits + length, sizeof digits - length) < 0) {
        _exit(3);
    }
    _exit(128 + signal_number);
}

static void run_seed(uint64_t seed, int steps, bool verbose, struct tally *total)
{
    struct world *world = &the_world;
    world_open(world, seed, steps, verbose);
    for (world->step = 1; world->step <= steps; world->step++) {
        step_random(world);
    }
    step_drain(world);
    world->tally.seeds = 1;
    world->tally.steps = (uint64_t)world->step;
    tally_model(&world->tally, world->model);
    tally_add(total, &world->tally);
    world_close(world);
}

static uint64_t number(const char *text)
{
    char *end = NULL;
    uint64_t value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || end == text || *end != '\0') {
        fputs("usage: sim --seeds N [--start S] [--steps N] | --seed S [--steps N] [-v]\n", stderr);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 1;
    uint64_t start = 1;
    int steps = 300;
    bool verbose = false;
    struct tally total = { 0 };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            seeds = number(argv[++i]);
        } else if (strcmp(argv[i], "--start") == 0 || strcmp(argv[i], "--seed") == 0) {
            start = number(argv[++i]);
        } else if (strcmp(argv[i], "--steps") == 0) {
            steps = (int)number(argv[++i]);
        } else {
            (void)number(NULL);
        }
    }
    /* Each history makes and frees whole engines: their pages need not come from the system anew. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 26);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 28);
    (void)signal(SIGSEGV, on_signal);
    (void)signal(SIGABRT, on_signal);
    for (uint64_t seed = start; seed < start + seeds; seed++) {
        run_seed(seed, steps, verbose, &total);
    }
    tally_print(&total);
    const char *gap = seeds >= SEEDS_FOR_ALL ? tally_gap(&total) : NULL;
    if (gap != NULL) {
        fprintf(stderr, "sim: in %llu seeds, %s\n", (unsigned long long)seeds, gap);
        return 1;
    }
    printf("sim: %llu seeds, %.2f M steps, 0 failures\n", (unsigned long long)total.seeds,
           (double)total.steps / 1e6);
    return 0;
}
