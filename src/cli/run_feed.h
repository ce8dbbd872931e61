/*
 * What a pool does, as it does it: starts and ends of attempts, handed from its threads to the one
 * that shows them. Costs a lock and a few copies per attempt, and never a question to the store.
 */
#ifndef CLI_RUN_FEED_H
#define CLI_RUN_FEED_H

#include <queuack/queuack.h>

typedef enum run_feed_type {
    RUN_FEED_STARTED,
    RUN_FEED_ENDED,
    RUN_FEED_EXPANDED,
} run_feed_type;

typedef struct run_feed_item {
    run_feed_type type;
    qk_id job;
    qk_id run; /* of a start; of an expansion the new one */
    int attempt;
    qk_time at;
    int64_t mono_us; /* CLOCK_MONOTONIC */
    char *node; /* of a start */
    bool is_dag;
    char
        *names; /* of an expansion: its name, then its nodes, each "t" or, if a sub-DAG, "d" and the
                    name, ended by NUL; a last NUL. NULL: not told */
    qk_verdict verdict; /* and what follows: of an end */
    bool final, refused; /* refused: cancelled, timed out or handed to another meanwhile */
    bool has_exit_code;
    int exit_code;
    int64_t took_us;
    char *error, *tail; /* of a failure; NULL: none */
} run_feed_item;

typedef struct run_feed run_feed;

/* QK_ENOMEM. Close it after the pool. */
qk_status run_feed_open(run_feed **out, qk_error *err);
/* Makes the pool tell it. */
void run_feed_attach(run_feed *feed, qk_worker_options *options);
/* What came since the last call, in order; *out belongs to the feed until the next call, and so do its
 * texts. */
size_t run_feed_take(run_feed *feed, run_feed_item **out);
/* True if something was lost for lack of memory: the store has to be asked. */
bool run_feed_lost(run_feed *feed);
void run_feed_close(run_feed *feed);

#endif
