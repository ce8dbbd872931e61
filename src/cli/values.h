/*
 * Values as people write them: durations, times, numbers, back-off. Pure but for the local time
 * zone. On failure QK_EINVAL, and the message names `what` (an option or a key) and a way to put it
 * right; *out is then untouched.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <queuack/job.h>

/* 250ms, 10s, 1.5h, 1h30m, 0. Never negative, at most 100 years. */
qk_status cli_parse_duration(qk_duration *out, const char *what, const char *text, qk_error *err);
/* A duration above 0, or "none": qk_forever(). */
qk_status cli_parse_limit(qk_duration *out, const char *what, const char *text, qk_error *err);
/* RFC 3339, or local YYYY-MM-DD HH:MM[:SS]. */
qk_status cli_parse_time(qk_time *out, const char *what, const char *text, qk_error *err);
qk_status cli_parse_int(int *out, const char *what, const char *text, int min, int max,
                        qk_error *err);
/* DURATION[,FACTOR[,CAP]] */
qk_status cli_parse_backoff(qk_backoff *out, const char *what, const char *text, qk_error *err);
qk_status cli_parse_mode(qk_dependency_mode *out, const char *what, const char *text,
                         qk_error *err);
qk_status cli_parse_id(qk_id *out, const char *what, const char *text, qk_error *err);

/* Room for any time below, with its NUL. */
#define CLI_TIME_SIZE 40
/* 2026-11-23T23:40:14.123456Z; returns `out`. */
char *cli_time_utc(char out[CLI_TIME_SIZE], qk_time time);
/* 2026-11-23 23:40:14 in the local zone; "" for none. */
char *cli_time_local(char out[CLI_TIME_SIZE], qk_time time);
/* Reads back cli_time_utc and its kin; none if it is no time. */
qk_time cli_time_read(const char *text);
/* Seconds with as many decimals as it needs: 300, 0.25. */
char *cli_seconds(char out[CLI_TIME_SIZE], int64_t us);
/* 250ms, 1.2s, 3m05s, 2h10m, 4d: for people. */
char *cli_duration_text(char out[CLI_TIME_SIZE], int64_t us);

#endif
