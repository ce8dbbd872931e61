/*
 * Times as text; see time_text.h. Days are counted with the civil calendar's own arithmetic, since
 * libc's functions know time zones, locales and leap seconds that have no place here.
 */
#include "util/time_text.h"

#include <stdio.h>

#define DAY_US (INT64_C(86400) * 1000000)

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = days / 146097;
    int64_t of_era = days - era * 146097;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    int64_t shifted = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(years + era * 400 + (*month <= 2));
}

char *qk__time_format(char out[QK__TIME_TEXT_SIZE], qk_time time)
{
    int year, month, day;
    int64_t us = time.us > 0 ? time.us : 0;
    int64_t rest = us % DAY_US;
    date_of(us / DAY_US, &year, &month, &day);
    int seconds = (int)(rest / 1000000);
    int length = snprintf(out, QK__TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", year, month,
                          day, seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (rest % 1000000 && length > 0 && length < QK__TIME_TEXT_SIZE)
        length += snprintf(out + length, QK__TIME_TEXT_SIZE - (size_t)length, ".%06d",
                           (int)(rest % 1000000));
    if (length > 0 && length < QK__TIME_TEXT_SIZE)
        snprintf(out + length, QK__TIME_TEXT_SIZE - (size_t)length, "Z");
    return out;
}

typedef struct reader {
    const char *at, *end;
    bool bad;
} reader;

static int number(reader *in, int digits, int least, int most)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (in->at == in->end || *in->at < '0' || *in->at > '9') {
            in->bad = true;
            return least;
        }
        value = value * 10 + (*in->at++ - '0');
    }
    if (value < least || value > most)
        in->bad = true;
    return value;
}

static bool take(reader *in, char upper)
{
    if (in->at == in->end || (*in->at != upper && *in->at != (upper | 0x20)))
        return false;
    in->at++;
    return true;
}

static void expect(reader *in, char c)
{
    if (in->at == in->end || *in->at != c)
        in->bad = true;
    else
        in->at++;
}

static int64_t fraction(reader *in)
{
    int64_t us = 0;
    int64_t unit = 100000;
    const char *first = in->at + 1;
    if (in->at == in->end || *in->at != '.')
        return 0;
    for (in->at++; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
        us += unit * (*in->at - '0');
        unit /= 10;
    }
    in->bad = in->bad || in->at == first;
    return us;
}

/* Seconds east of UTC. */
static int64_t offset(reader *in)
{
    if (take(in, 'Z'))
        return 0;
    bool west = in->at < in->end && *in->at == '-';
    if (!west)
        expect(in, '+');
    else
        in->at++;
    int64_t seconds = number(in, 2, 0, 23) * INT64_C(3600);
    expect(in, ':');
    seconds += number(in, 2, 0, 59) * INT64_C(60);
    return west ? -seconds : seconds;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

bool qk__time_parse(qk_time *out, const char *text, size_t length)
{
    reader in = { text, text + length, false };
    int year = number(&in, 4, 1969, 9999);
    expect(&in, '-');
    int month = number(&in, 2, 1, 12);
    expect(&in, '-');
    int day = number(&in, 2, 1, 31);
    if (!take(&in, 'T'))
        in.bad = true;
    int64_t seconds = number(&in, 2, 0, 23) * INT64_C(3600);
    expect(&in, ':');
    seconds += number(&in, 2, 0, 59) * INT64_C(60);
    expect(&in, ':');
    seconds += number(&in, 2, 0, 59);
    int64_t us = fraction(&in);
    seconds -= offset(&in);
    if (in.bad || in.at != in.end || day > days_in(year, month))
        return false;
    out->us = days_of(year, month, day) * DAY_US + seconds * 1000000 + us;
    return out->us > 0 && out->us < days_of(10000, 1, 1) * DAY_US;
}
