/*
 * The one table of statuses and its four views. Everything here is constant.
 */
#include <queuack/error.h>

typedef struct status_row {
    qk_status status;
    const char *json;
    int http;
    int exit_code;
    const char *text;
} status_row;

static const status_row rows[] = {
#define STATUS_ROW(name, value, json, http, exit_code, text)                                       \
    { QK_##name, json, http, exit_code, text },
    QK_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

#define ROW_COUNT ((int)(sizeof(rows) / sizeof(rows[0])))

/* Codes run downwards from 0 without a gap, so a code is the index of its row. */
#define STATUS_IN_ORDER(name, value, json, http, exit_code, text)                                  \
    _Static_assert((value) <= 0 && -(value) < ROW_COUNT, "codes must be dense");
QK_STATUS_MAP(STATUS_IN_ORDER)
#undef STATUS_IN_ORDER

static const status_row *row_of(qk_status status)
{
    int index = (int)status;
    if (index > 0 || index <= -ROW_COUNT)
        index = QK_EINTERNAL;
    return &rows[-index];
}

const char *qk_status_text(qk_status status)
{
    return row_of(status)->text;
}

const char *qk_status_json_code(qk_status status)
{
    return row_of(status)->json;
}

int qk_status_http(qk_status status)
{
    return row_of(status)->http;
}

int qk_status_exit_code(qk_status status)
{
    return row_of(status)->exit_code;
}
