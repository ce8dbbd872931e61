/*
 * What the library has to say about itself: records with a level, a message and named fields.
 *
 * It says nothing unless qk_queue_options.log is set: to qk_log_to_sink, which writes a line per
 * record to a descriptor, or to a function of your own. No call here allocates or locks, and all
 * may be made from any thread.
 */
#ifndef QUEUACK_LOG_H
#define QUEUACK_LOG_H

#include <queuack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum qk_log_level {
    QK_LOG_DEBUG = 0, /* commits, stores opened and closed */
    QK_LOG_INFO = 1, /* what a person did, what moved */
    QK_LOG_WARN = 2, /* it goes on, but look at it */
    QK_LOG_ERROR = 3, /* something could not be done */
} qk_log_level;

/* "debug" …; NULL for an unknown value. Static. */
QK_API const char *qk_log_level_name(qk_log_level level);
/* QK_EINVAL: none of the names. */
QK_API qk_status qk_log_level_parse(qk_log_level *out, const char *name);

typedef struct qk_log_field {
    const char *key; /* [a-z_]+, ours */
    const char *text; /* its value, any bytes: escape it before you write it. NULL: see number */
    int64_t number; /* the value when there is no text */
} qk_log_field;

typedef struct qk_log_record {
    qk_time time; /* of the handle's clock */
    qk_log_level level;
    const char *event; /* what happened, for programs: "store.opened"; "note" when it has no name */
    const char *message; /* the same for people: one line, without control characters */
    const qk_log_field *fields;
    size_t field_count;
} qk_log_record;

/* Called from any thread, perhaps with locks of the library held: it must return soon and must not
 * call back into the handle. The record and all it points to live for the call. Later versions may
 * append members. */
typedef void (*qk_log_fn)(void *user, const qk_log_record *record);

typedef enum qk_log_format {
    QK_LOG_TEXT =
        0, /* logfmt: time=… level=info event=store.opened msg="opened …" path=/x.duckdb */
    QK_LOG_JSON = 1, /* one object: time, level, event, message, and the fields by their keys */
} qk_log_format;

/* A line is at most so long; texts that do not fit are cut, and the line then has the field
 * `truncated`. */
#define QK_LOG_LINE_MAX 4096

/*
 * Renders a record as one line that ends in a newline, and a NUL; returns its length without that.
 * Whatever the texts hold, it stays one line of valid UTF-8 that a terminal does not obey: control
 * characters, line separators and bidirectional marks are escaped, bytes that are no UTF-8 become
 * U+FFFD. 0 if `size` is less than 256.
 */
QK_API size_t qk_log_render(char *out, size_t size, const qk_log_record *record,
                            qk_log_format format);

/* Where qk_log_to_sink writes: give its address as qk_queue_options.log_user. It must outlive the
 * handle, which does not close the descriptor. */
typedef struct qk_log_sink {
    int fd; /* 2: standard error */
    qk_log_format format;
} qk_log_sink;

/* A qk_log_fn: one write per line, so that lines of several threads and processes do not mix. What
 * cannot be written is dropped. A closed pipe raises SIGPIPE unless the program ignores it. */
QK_API void qk_log_to_sink(void *sink, const qk_log_record *record);

#ifdef __cplusplus
}
#endif
#endif
