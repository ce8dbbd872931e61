/*
 * The simulation: a seeded history of commands, cuts, commits, failures and crashes, driven through
 * the engine, the naive model and the model disk at once. One thread; any disagreement ends the
 * program with the command that replays it.
 *
 * The model is the state as applied; `durable` is its clone as of the last batch that is on the
 * disk, `cut_model` as of the cut under way. A crash goes back to one of the two.
 */
#ifndef QUEUACK_TESTS_SIM_SIM_H
#define QUEUACK_TESTS_SIM_SIM_H

#include "disk.h"
#include "model.h"
#include "tally.h"

#define JOBS_MAX 2048
#define CLAIMS_KEPT 48
#define REPORTS_KEPT 16
#define PAYLOAD_MAX 700

/* What the driver itself knows of an id it made up. */
struct known_job {
    qk_id id;
    char kind[16], queue[16], payload[PAYLOAD_MAX];
    size_t payload_length;
    uint64_t born; /* the batch with its enqueue */
    bool strict; /* asked for */
    bool recovered; /* lived through an unclean stop */
    bool maybe_recovered; /* retried since: known while it stays in memory */
    bool named, tagged;
    bool exists;
    uint64_t refused, reported; /* attempts: nacked with no_requeue, or reported at all */
};

struct known_claim {
    qk_id id;
    int attempt;
    char worker[8];
};

struct known_report {
    qk_outcome outcome; /* its texts are literals */
    char worker[8];
};

struct world {
    uint64_t seed, random;
    int step, steps;
    bool verbose;

    qk__engine *engine;
    struct model *model, *durable, *cut_model;
    struct disk *disk;
    qk__cut *cut; /* under way */
    struct disk_table cut_rows; /* what it held when it was made */
    bool settle_due, settling; /* settling: a part of the old journal is gone already */
    struct tally tally;

    qk__now now;
    qk__engine_config config;
    bool clock_jumps, few_rooms;

    struct known_job jobs[JOBS_MAX];
    size_t job_count;
    struct known_claim claims[CLAIMS_KEPT];
    size_t claim_count;
    struct known_report reports[REPORTS_KEPT];
    size_t report_count;
};

/* main.c */
_Noreturn void fail(const struct world *world, const char *format, ...) QK_PRINTF(2, 3);
void trace_line(const struct world *world, const char *format, ...) QK_PRINTF(2, 3);
/* Its arguments are only looked at when they are printed. */
#define trace(world, ...)                                                                          \
    do {                                                                                           \
        if ((world)->verbose) {                                                                    \
            trace_line(world, __VA_ARGS__);                                                        \
        }                                                                                          \
    } while (0)
uint64_t random_next(struct world *world);
size_t pick(struct world *world, size_t count); /* 0 to count - 1 */
bool chance(struct world *world, int percent);

/* life.c */
void world_open(struct world *world, uint64_t seed, int steps, bool verbose);
void world_close(struct world *world);
void life_cut(struct world *world);
void life_commit(struct world *world); /* or fails to */
void life_flush(struct world *world); /* everything is durable afterwards */
void life_turn(struct world *world);
void life_settle(struct world *world); /* all that is left, or a slice of it */
void life_crash(struct world *world);
void life_restart(struct world *world); /* clean */

/* steps.c */
void step_random(struct world *world);
void step_drain(struct world *world); /* runs what can run, to the end */
struct known_job *known_find(struct world *world, qk_id id);
struct model_now model_time(const struct world *world);
const char *short_id(qk_id id); /* static, four in turn */

/* compare.c */
void compare_job(struct world *world, qk_id id, bool thorough);
void compare_all(struct world *world, bool thorough);
void compare_durable(struct world *world); /* the disk's ended jobs with the durable model */

/* compare_history.c */
void compare_history(struct world *world); /* the disk's attempts with the durable model's */

#endif
