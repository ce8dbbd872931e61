/*
 * Filters; see filter.h. Any thread.
 */
#include "queue/filter.h"

#include <string.h>

#include "queue/validate.h"
#include "util/error.h"

#define DEFAULT_LIMIT 100
#define SHORTEST_SUFFIX 6

/* Dashes are where the user copied them from; the store compares digits. */
static qk_status prepare_suffix(qk_job_filter *filter, qk__filter_text *text, qk_error *err)
{
    const char *suffix = filter->id_suffix;
    size_t count = 0;

    if (!suffix)
        return QK_OK;
    size_t length = strnlen(suffix, QK_ID_TEXT_SIZE);
    if (length >= QK_ID_TEXT_SIZE || strspn(suffix, "0123456789abcdefABCDEF-") != length)
        return qk__error(err, QK_EINVAL, "id: must be the last hex digits of a job's id");
    for (size_t i = 0; i < length; i++) {
        char c = suffix[i];
        if (c != '-')
            text->id_suffix[count++] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    text->id_suffix[count] = '\0';
    if (count < SHORTEST_SUFFIX || count > 32) {
        return qk__error(err, QK_EINVAL, "id: give its last %d to 32 hex digits", SHORTEST_SUFFIX);
    }
    filter->id_suffix = text->id_suffix;
    return QK_OK;
}

qk_status qk__filter_prepare(qk_job_filter *out, qk__filter_text *text, const qk_job_filter *filter,
                             qk_error *err)
{
    static const qk_job_filter defaults = QK_JOB_FILTER_INIT;
    *out = filter ? *filter : defaults;
    qk_status rc = qk__check_version("job filter", "QK_JOB_FILTER_INIT", out->version, err);
    if (rc)
        return rc;
    if (out->statuses >> QK_JOB_STATUS_COUNT)
        return qk__error(err, QK_EINVAL, "statuses: has a bit that stands for no status");
    if (out->limit > QK__LIST_MAX)
        return qk__error(err, QK_EINVAL, "limit: more than %d: page with `before`", QK__LIST_MAX);
    rc = qk__check_optional_name("queue", out->queue, err);
    if (!rc)
        rc = qk__check_optional_name("kind", out->kind, err);
    if (!rc)
        rc = qk__check_optional_name("tag", out->tag, err);
    if (!rc)
        rc = qk__check_duration("older_than", out->older_than, false, err);
    if (!rc)
        rc = prepare_suffix(out, text, err);
    if (out->limit == 0)
        out->limit = DEFAULT_LIMIT;
    return rc;
}
