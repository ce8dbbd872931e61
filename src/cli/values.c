/*
 * Reading values; see values.h. Every sum and product is checked: a number out of range is an
 * error, never a different number.
 */
#include "values.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_DURATION_US (100LL * 366 * 24 * 3600 * 1000000)

/* Microseconds of the unit at *text, which it moves behind; 0: no unit. */
static int64_t read_unit(const char **text)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {
        { "ms", 1000 },      { "s", 1000000 },     { "m", 60000000 },
        { "h", 3600000000 }, { "d", 86400000000 },
    };
    size_t length = 0;
    while (isalpha((unsigned char)(*text)[length]))
        length++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == length && memcmp(*text, units[i].name, length) == 0) {
            *text += length;
            return units[i].us;
        }
    }
    return 0;
}

/* One number with its unit, added to *sum. */
static bool read_part(const char **text, int64_t *sum)
{
    int64_t whole = 0;
    int64_t fraction = 0;
    int64_t scale = 1;
    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++) {
        if (whole > MAX_DURATION_US)
            return false;
        whole = whole * 10 + (**text - '0');
    }
    if (**text == '.') {
        (*text)++;
        if (!isdigit((unsigned char)**text))
            return false;
        for (; isdigit((unsigned char)**text); (*text)++) {
            if (scale < 1000000) {
                fraction = fraction * 10 + (**text - '0');
                scale *= 10;
            }
        }
    }
    int64_t unit = read_unit(text);
    int64_t us;
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &us) ||
        __builtin_add_overflow(us, fraction * unit / scale, &us) ||
        __builtin_add_overflow(*sum, us, sum))
        return false;
    return *sum <= MAX_DURATION_US;
}

qk_status cli_parse_duration(qk_duration *out, const char *what, const char *text, qk_error *err)
{
    const char *at = text;
    int64_t sum = 0;
    if (strcmp(text, "0") == 0) {
        *out = qk_us(0);
        return QK_OK;
    }
    if (*text == '-')
        return cli_error(err, QK_EINVAL, "%s must not be negative: write it like 10s", what);
    do {
        if (!read_part(&at, &sum))
            return cli_error(err, QK_EINVAL,
                             "%s is not a duration: \"%.60s\": write it like 250ms, 10s, 5m, 2h "
                             "or 1d",
                             what, text);
    } while (*at);
    *out = qk_us(sum);
    return QK_OK;
}

qk_status cli_parse_limit(qk_duration *out, const char *what, const char *text, qk_error *err)
{
    qk_duration value;
    if (strcmp(text, "none") == 0) {
        *out = qk_forever();
        return QK_OK;
    }
    qk_status rc = cli_parse_duration(&value, what, text, err);
    if (rc)
        return rc;
    if (value.us == 0)
        return cli_error(err, QK_EINVAL, "%s must be above 0: write \"none\" for no limit", what);
    *out = value;
    return QK_OK;
}

qk_status cli_parse_int(int *out, const char *what, const char *text, int min, int max,
                        qk_error *err)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    bool number = end != text && !*end && !isspace((unsigned char)*text);
    if (!number || errno || value < min || value > max)
        return max == INT_MAX &&
                       !(number && value > max) /* the limit is of no interest until then */
                   ? cli_error(err, QK_EINVAL,
                               "%s must be a whole number from %d: \"%.60s\" is not", what, min,
                               text)
                   : cli_error(err, QK_EINVAL,
                               "%s must be a whole number from %d to %d: \"%.60s\" is not", what,
                               min, max, text);
    *out = (int)value;
    return QK_OK;
}

static qk_status parse_factor(double *out, const char *what, const char *text, qk_error *err)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < 1 || value > 1000)
        return cli_error(err, QK_EINVAL,
                         "the factor in %s must be a number from 1 to 1000: \"%.60s\" is not", what,
                         text);
    *out = value;
    return QK_OK;
}

qk_status cli_parse_backoff(qk_backoff *out, const char *what, const char *text, qk_error *err)
{
    qk_backoff value = QK_BACKOFF_DEFAULT;
    char copy[128];
    if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
        return cli_error(err, QK_EINVAL, "%s is too long: write it like 1s,2,1h", what);
    char *factor = strchr(copy, ',');
    if (factor)
        *factor++ = '\0';
    char *cap = factor ? strchr(factor, ',') : NULL;
    if (cap)
        *cap++ = '\0';
    qk_status rc = cli_parse_duration(&value.base, what, copy, err);
    if (!rc && factor)
        rc = parse_factor(&value.factor, what, factor, err);
    if (!rc && cap)
        rc = cli_parse_duration(&value.cap, what, cap, err);
    if (rc)
        return rc;
    if (value.cap.us < value.base.us) {
        if (cap)
            return cli_error(err, QK_EINVAL, "the cap in %s is below its first delay: swap them",
                             what);
        value.cap = value.base;
    }
    *out = value;
    return QK_OK;
}

qk_status cli_parse_mode(qk_dependency_mode *out, const char *what, const char *text, qk_error *err)
{
    cli_nearest nearest = { text, NULL, 0 };
    if (qk_dependency_mode_parse(out, text) == QK_OK)
        return QK_OK;
    for (int mode = 0; qk_dependency_mode_name((qk_dependency_mode)mode); mode++)
        cli_nearest_try(&nearest, qk_dependency_mode_name((qk_dependency_mode)mode));
    const char *found = cli_nearest_found(&nearest);
    return cli_error(err, QK_EINVAL, "%s \"%.60s\" is unknown: %s%s%s", what, text,
                     found ? "did you mean \""
                           : "use all, any, all_done, one_failed or none_failed",
                     found ? found : "", found ? "\"?" : "");
}

qk_status cli_parse_id(qk_id *out, const char *what, const char *text, qk_error *err)
{
    if (qk_id_parse(out, text) != QK_OK || qk_id_is_none(*out))
        return cli_error(err, QK_EINVAL,
                         "%s is not an id: \"%.60s\": write a UUID of 36 characters", what, text);
    return QK_OK;
}
