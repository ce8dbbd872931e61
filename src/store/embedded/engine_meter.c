/*
 * The engine's counters and histograms. Counting itself stands where things happen.
 */
#include "store/embedded/engine_internal.h"

/* A struct of uint64_t members only. */
static void add_words(void *to, const void *from, size_t size)
{
    uint64_t *sums = to;
    const uint64_t *words = from;
    for (size_t i = 0; i < size / sizeof *sums; i++) {
        sums[i] += words[i];
    }
}

const qk_counters *qk__engine_counters(const qk__engine *engine)
{
    return &engine->counters;
}

void qk__engine_metrics(const qk__engine *engine, qk_metrics *out)
{
    add_words(&out->counters, &engine->counters, sizeof out->counters);
    add_words(&out->waiting_us, &engine->waiting_us, sizeof out->waiting_us);
    add_words(&out->run_us, &engine->run_us, sizeof out->run_us);
}

void qk__engine_inherit(qk__engine *engine, const qk__engine *before)
{
    add_words(&engine->counters, &before->counters, sizeof engine->counters);
    add_words(&engine->waiting_us, &before->waiting_us, sizeof engine->waiting_us);
    add_words(&engine->run_us, &before->run_us, sizeof engine->run_us);
}
