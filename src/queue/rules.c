/*
 * The shared rules; see rules.h. Tables and arithmetic only.
 *
 * The transition table is the lifecycle of the contract, one bit per permitted target. Two rows
 * need a word: `failed → claimed` is a sub-DAG node one of whose inner nodes is retried, and
 * `done → pending` happens only when a person runs part of a run again.
 */
#include "queue/rules.h"

#include <math.h>

#define TO(status) (1u << QK_JOB_##status)

static const unsigned transitions[QK_JOB_STATUS_COUNT] = {
    [QK_JOB_PENDING] = TO(CLAIMED) | TO(SKIPPED) | TO(CANCELLED),
    [QK_JOB_DELAYED] = TO(PENDING) | TO(SKIPPED) | TO(CANCELLED),
    [QK_JOB_CLAIMED] = TO(PENDING) | TO(DELAYED) | TO(DONE) | TO(FAILED) | TO(CANCELLED),
    [QK_JOB_DONE] = TO(PENDING),
    [QK_JOB_FAILED] = TO(PENDING) | TO(CLAIMED),
    [QK_JOB_SKIPPED] = TO(PENDING),
    [QK_JOB_CANCELLED] = TO(PENDING),
};

static bool known_status(qk_job_status status)
{
    return (unsigned)status < QK_JOB_STATUS_COUNT;
}

bool qk__rule_transition(qk_job_status from, qk_job_status to)
{
    return known_status(from) && known_status(to) && (transitions[from] & (1u << to)) != 0;
}

int64_t qk__rule_backoff_us(int64_t base_us, double factor, int64_t cap_us, int32_t failures,
                            uint64_t random)
{
    if (base_us <= 0 || cap_us <= 0)
        return 0;
    if (!(factor >= 1.0)) /* catches NaN */
        factor = 1.0;
    double exponent = failures > 1 ? (double)failures - 1.0 : 0.0;
    double grown = (double)base_us * pow(factor, exponent);
    /* Compared as doubles: an infinite or merely too large product becomes the cap unconverted. */
    int64_t longest = grown < (double)cap_us ? (int64_t)grown : cap_us;
    int64_t least = longest / 2;
    uint64_t span = (uint64_t)(longest - least) + 1;
    return least + (int64_t)(random % span);
}

qk__readiness qk__rule_readiness(qk_dependency_mode mode, qk__parents parents)
{
    bool all_terminal = parents.done + parents.conditional + parents.failed >= parents.total;
    bool start = false;
    bool never = false;

    if (parents.total == 0)
        return QK__READY_START;
    switch (mode) {
    case QK_MODE_ALL:
        never = parents.failed > 0 || parents.conditional > 0;
        start = parents.done >= parents.total;
        break;
    case QK_MODE_ANY:
        start = parents.done > 0;
        never = all_terminal;
        break;
    case QK_MODE_ALL_DONE:
        start = all_terminal;
        break;
    case QK_MODE_ONE_FAILED:
        start = parents.failed > 0;
        never = all_terminal;
        break;
    case QK_MODE_NONE_FAILED:
        never = parents.failed > 0;
        start = !never && all_terminal;
        break;
    }
    if (start)
        return QK__READY_START;
    return never ? QK__READY_NEVER : QK__READY_WAIT;
}
