/*
 * Times: reading and writing them; see values.h.
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "values.h"

/* Exactly `count` digits at *text, which it moves behind; -1 if they are not there. */
static int read_digits(const char **text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (!isdigit((unsigned char)**text))
            return -1;
        value = value * 10 + (**text - '0');
    }
    return value;
}

static bool read_char(const char **text, const char *allowed)
{
    if (**text == '\0' || !strchr(allowed, **text))
        return false;
    (*text)++;
    return true;
}

/* YYYY-MM-DD HH:MM[:SS[.ffffff]] */
static bool read_civil(const char **text, struct tm *tm, int *micros)
{
    *micros = 0;
    tm->tm_year = read_digits(text, 4) - 1900;
    if (!read_char(text, "-"))
        return false;
    tm->tm_mon = read_digits(text, 2) - 1;
    if (!read_char(text, "-"))
        return false;
    tm->tm_mday = read_digits(text, 2);
    if (!read_char(text, "Tt "))
        return false;
    tm->tm_hour = read_digits(text, 2);
    if (!read_char(text, ":"))
        return false;
    tm->tm_min = read_digits(text, 2);
    tm->tm_sec = 0;
    if (read_char(text, ":")) {
        tm->tm_sec = read_digits(text, 2);
        if (read_char(text, ".")) {
            int scale = 100000;
            if (!isdigit((unsigned char)**text))
                return false;
            for (; isdigit((unsigned char)**text); (*text)++, scale /= 10)
                *micros += (**text - '0') * scale;
        }
    }
    return tm->tm_year >= 70 && tm->tm_hour >= 0 && tm->tm_hour < 24 && tm->tm_min >= 0 &&
           tm->tm_min < 60 && tm->tm_sec >= 0 && tm->tm_sec < 60;
}

/* Z or ±HH:MM; *zone tells whether there was one. */
static bool read_zone(const char **text, bool *zone, int *offset_seconds)
{
    *offset_seconds = 0;
    *zone = **text != '\0';
    if (!*zone || read_char(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1;
    if (!read_char(text, "+-"))
        return false;
    int hours = read_digits(text, 2);
    read_char(text, ":");
    int minutes = read_digits(text, 2);
    *offset_seconds = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool read_time(qk_time *out, const char *text)
{
    struct tm tm = { 0 };
    int micros;
    bool zone;
    int offset;
    if (!read_civil(&text, &tm, &micros) || !read_zone(&text, &zone, &offset) || *text)
        return false;
    struct tm check = tm;
    time_t seconds = timegm(&check);
    if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon)
        return false; /* the 31st of a month of 30 days */
    if (!zone) {
        tm.tm_isdst = -1;
        seconds = mktime(&tm);
        if (seconds == (time_t)-1)
            return false;
    }
    out->us = ((int64_t)seconds - offset) * 1000000 + micros;
    return out->us > 0;
}

qk_status cli_parse_time(qk_time *out, const char *what, const char *text, qk_error *err)
{
    if (!read_time(out, text))
        return cli_error(err, QK_EINVAL,
                         "%s is not a time: \"%.60s\": write it like 2026-11-23T18:00:00Z, or in "
                         "local time 2026-11-23 18:00",
                         what, text);
    return QK_OK;
}

qk_time cli_time_read(const char *text)
{
    qk_time time = { 0 };
    if (!text || !read_time(&time, text))
        time.us = 0;
    return time;
}

static time_t whole_seconds(qk_time time, int *micros)
{
    int64_t seconds = time.us / 1000000;
    int64_t rest = time.us % 1000000;
    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    *micros = (int)rest;
    return (time_t)seconds;
}

char *cli_time_utc(char out[CLI_TIME_SIZE], qk_time time)
{
    struct tm tm;
    int micros;
    time_t seconds = whole_seconds(time, &micros);
    gmtime_r(&seconds, &tm);
    size_t length = strftime(out, CLI_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + length, CLI_TIME_SIZE - length, ".%06dZ", micros);
    return out;
}

char *cli_time_local(char out[CLI_TIME_SIZE], qk_time time)
{
    struct tm tm;
    int micros;
    time_t seconds = whole_seconds(time, &micros);
    out[0] = '\0';
    if (time.us != 0 && localtime_r(&seconds, &tm))
        strftime(out, CLI_TIME_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

char *cli_seconds(char out[CLI_TIME_SIZE], int64_t us)
{
    const char *sign = us < 0 ? "-" : "";
    uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    int length =
        snprintf(out, CLI_TIME_SIZE, "%s%llu.%06llu", sign, (unsigned long long)(size / 1000000),
                 (unsigned long long)(size % 1000000));
    while (out[length - 1] == '0')
        out[--length] = '\0';
    if (out[length - 1] == '.')
        out[--length] = '\0';
    return out;
}

char *cli_duration_text(char out[CLI_TIME_SIZE], int64_t us)
{
    long long seconds = us / 1000000;
    if (us == QK_FOREVER_US)
        snprintf(out, CLI_TIME_SIZE, "none");
    else if (us < 1000000)
        snprintf(out, CLI_TIME_SIZE, "%lldms", (long long)(us / 1000));
    else if (seconds < 60)
        snprintf(out, CLI_TIME_SIZE, "%.1fs", (double)us / 1e6);
    else if (seconds < 3600)
        snprintf(out, CLI_TIME_SIZE, "%lldm%02llds", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(out, CLI_TIME_SIZE, "%lldh%02lldm", seconds / 3600, seconds % 3600 / 60);
    else
        snprintf(out, CLI_TIME_SIZE, "%lldd%02lldh", seconds / 86400, seconds % 86400 / 3600);
    return out;
}
