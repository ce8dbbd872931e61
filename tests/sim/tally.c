/*
 * Counting, adding, printing; see tally.h.
 */
#include "tally.h"

#include "model.h"

#include <stdio.h>

static void tally_attempts(struct tally *tally, const struct model_job *job)
{
    for (size_t i = 0; i < job->history_count; i++) {
        const struct model_attempt *attempt = &job->history[i];
        bool reported = attempt->ending == MODEL_REPORTED;
        tally->acks += reported && attempt->verdict == QK_VERDICT_ACK;
        tally->fails += reported && attempt->verdict == QK_VERDICT_FAIL;
        tally->nacks += reported && attempt->verdict == QK_VERDICT_NACK;
        tally->losses += attempt->ending == MODEL_LOST;
        tally->cancels += attempt->ending == MODEL_CANCELLED;
    }
}

void tally_model(struct tally *tally, const struct model *model)
{
    for (size_t i = 0; i < model_size(model); i++) {
        const struct model_job *job = model_at(model, i);
        bool skipped = job->status == QK_JOB_SKIPPED;
        tally->jobs++;
        tally_attempts(tally, job);
        tally->lost_for_good += job->status == QK_JOB_FAILED && job->lost >= job->max_lost;
        if (job->needs_count > 0) {
            tally->started[job->mode] += job->history_count > 0;
            tally->for_failure[job->mode] += skipped && job->root_order > 0;
            tally->for_condition[job->mode] += skipped && job->root_order == 0;
        }
    }
}

void tally_add(struct tally *total, const struct tally *more)
{
    uint64_t *to = (uint64_t *)total;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *total / sizeof *to; i++) {
        to[i] += from[i];
    }
}

void tally_print(const struct tally *tally)
{
    static const char *const modes[] = { "all", "any", "all_done", "one_failed", "none_failed" };
#define LINE(name, text) printf("%12llu  " text "\n", (unsigned long long)tally->name);
    TALLY_LIST(LINE)
#undef LINE
    for (int i = 0; i < 5; i++) {
        printf("%12llu  %s started, %llu skipped for a failure, %llu for a condition\n",
               (unsigned long long)tally->started[i], modes[i],
               (unsigned long long)tally->for_failure[i],
               (unsigned long long)tally->for_condition[i]);
    }
}

const char *tally_gap(const struct tally *tally)
{
#define CHECK(name, text)                                                                          \
    if (tally->name == 0) {                                                                        \
        return "never happened: " text;                                                            \
    }
    TALLY_LIST(CHECK)
#undef CHECK
    /* The table of the specification: all_done always starts, one_failed is only ever skipped
     * because nothing failed, none_failed only because something did. */
    static const bool for_failure[5] = { true, true, false, false, true };
    static const bool for_condition[5] = { true, true, false, true, false };
    for (int i = 0; i < 5; i++) {
        if (tally->started[i] == 0 || (tally->for_failure[i] > 0) != for_failure[i] ||
            (tally->for_condition[i] > 0) != for_condition[i]) {
            return "a dependency mode never came to an end that it has, or came to one it has not";
        }
    }
    return NULL;
}
