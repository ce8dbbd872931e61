/*
 * What the histories so far consisted of. A simulation that no longer does something shows nothing
 * about it, so each of these must have happened when many seeds were run.
 */
#ifndef QUEUACK_TESTS_SIM_TALLY_H
#define QUEUACK_TESTS_SIM_TALLY_H

#include <queuack/job.h>

/* clang-format off */
#define TALLY_LIST(X)                                                                              \
    X(jobs, "jobs enqueued")                                                                       \
    X(duplicates, "enqueues of an id or a unique key that exists")                                 \
    X(unfit, "enqueues refused: parent, id or backpressure")                                       \
    X(warnings, "backpressure warnings")                                                           \
    X(strict, "strict claims")                                                                     \
    X(pipelined, "claims that ran ahead of the disk")                                              \
    X(acks, "attempts acknowledged")                                                               \
    X(fails, "attempts failed")                                                                    \
    X(nacks, "attempts given back")                                                                \
    X(losses, "leases lost")                                                                       \
    X(lost_for_good, "jobs that lost their worker too often")                                      \
    X(late, "reports refused as lease lost")                                                       \
    X(repeats, "reports repeated")                                                                 \
    X(renewals, "leases renewed")                                                                  \
    X(cancels, "cancelled while claimed")                                                          \
    X(cancelled_waiting, "cancelled while waiting")                                                \
    X(retries, "retries by a person")                                                              \
    X(retries_refused, "retries refused")                                                          \
    X(pauses, "queues paused")                                                                     \
    X(jumps, "jumps of the wall clock")                                                            \
    X(commits, "commits")                                                                          \
    X(commits_failed, "commits that failed")                                                       \
    X(commits_unclear, "commits that were told to have failed, but are there")                     \
    X(held, "claims held over a failed commit")                                                    \
    X(crashes, "crashes with no commit under way")                                                 \
    X(crashes_before, "crashes in a commit that is not there")                                     \
    X(crashes_after, "crashes in a commit that is there")                                          \
    X(restarts, "clean restarts")                                                                  \
    X(carries, "journals carried over")                                                            \
    X(settles, "journals settled")                                                                 \
    X(crashes_settling, "crashes between two slices of settling")
/* clang-format on */

struct tally {
#define MEMBER(name, text) uint64_t name;
    TALLY_LIST(MEMBER)
#undef MEMBER
    /* By dependency mode, of jobs with parents. */
    uint64_t started[5], for_failure[5], for_condition[5];
    uint64_t seeds, steps;
};

struct world;
struct model;

/* Adds what can be read off a history's end. */
void tally_model(struct tally *tally, const struct model *model);
void tally_add(struct tally *total, const struct tally *more);
void tally_print(const struct tally *tally);
/* NULL, or what never happened, or must not have (static). */
const char *tally_gap(const struct tally *tally);

#endif
