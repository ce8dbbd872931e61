/*
 * Options of a handle; see options.h. Any thread.
 */
#include "queue/options.h"

#include <unistd.h>

#include "queue/validate.h"
#include "util/clock.h"
#include "util/error.h"

#define BACKPRESSURE_WARN 100000
#define BACKPRESSURE_LIMIT 1000000
#define OWNER_WAIT_US INT64_C(10000000)

/* A quarter of the machine, within 64 MiB and 4 GiB. */
static size_t default_query_memory(void)
{
    const uint64_t least = UINT64_C(64) << 20, most = UINT64_C(4) << 30;
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0)
        return UINT64_C(1) << 30;
    uint64_t quarter = (uint64_t)pages * (uint64_t)page / 4;
    return quarter < least ? least : quarter > most ? most : quarter;
}

static qk_status check(const qk_queue_options *options, qk_error *err)
{
    qk_status rc =
        qk__check_version("queue options", "QK_QUEUE_OPTIONS_INIT", options->version, err);
    if (rc)
        return rc;
    rc = qk__check_optional_name("default_queue", options->default_queue, err);
    if (rc)
        return rc;
    rc = qk__check_duration("owner_wait", options->owner_wait, true, err);
    if (rc)
        return rc;
    if (options->max_payload > QK__MAX_PAYLOAD_LIMIT)
        return qk__error(err, QK_EINVAL, "max_payload: more than 1 GiB");
    if ((unsigned)options->log_level > QK_LOG_ERROR)
        return qk__error(err, QK_EINVAL, "log_level: none of QK_LOG_DEBUG to QK_LOG_ERROR");
    if (options->clock && (!options->clock->wall || !options->clock->monotonic_us))
        return qk__error(err, QK_EINVAL, "clock: needs both of its functions");
    return QK_OK;
}

qk_status qk__options_apply(qk__store_config *out, const qk_queue_options *options, qk_error *err)
{
    static const qk_queue_options defaults = QK_QUEUE_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    qk_status rc = check(options, err);
    if (rc)
        return rc;
    uint64_t limit = options->backpressure_limit ? options->backpressure_limit : BACKPRESSURE_LIMIT;
    *out = (qk__store_config){
        .must_exist = options->must_exist,
        .strict = options->strict,
        .brief = options->brief,
        .default_queue = options->default_queue ? options->default_queue : QK__QUEUE_DEFAULT,
        .max_payload = options->max_payload ? options->max_payload : QK__MAX_PAYLOAD_DEFAULT,
        .backpressure_warn =
            options->backpressure_warn ? options->backpressure_warn : BACKPRESSURE_WARN,
        .backpressure_limit = limit,
        .owner_wait_us = options->owner_wait.us ? options->owner_wait.us : OWNER_WAIT_US,
        .temp_dir = options->temp_dir,
        .query_memory = options->query_memory ? options->query_memory : default_query_memory(),
        .clock = options->clock ? *options->clock : qk__clock_system(),
        .log = { options->log, options->log_user, options->log_level, { 0 } },
    };
    out->log.clock = out->clock;
    return QK_OK;
}
