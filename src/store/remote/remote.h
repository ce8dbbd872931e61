/*
 * A store in another process, reached over its Unix socket: every slot of store.h as a request.
 *
 * A failure of the connection is QK_ESTORE, and system_errno says what it means:
 *   ECONNREFUSED  nothing has happened: there is nobody, or he is closing;
 *   ECONNRESET    the answer is missing: it may have happened;
 *   ETIMEDOUT     the other process lives and does not answer, probably because it is stopped.
 * Nothing is repeated here. Every claim says whose it is (config.peer and a rising number), so that
 * the caller can ask again for what an answer that was lost had granted.
 */
#ifndef QK_STORE_REMOTE_REMOTE_H
#define QK_STORE_REMOTE_REMOTE_H

#include "store/store.h"

typedef struct qk__remote_options {
    const char *socket;
    const char *path; /* of the store, for path() and messages */
    uint64_t device,
        inode; /* the file as the caller sees it; 0: there is none, or do not compare */
    uint64_t peer;
    const char *default_queue;
    size_t max_payload;
    int64_t patience_us; /* how long an answer may be late before the other is asked if he lives */
    qk_clock clock;
} qk__remote_options;

/* Connects and makes sure who is there. Also QK_EVERSION (it speaks another protocol), QK_EREFUSED
 * (no permission, or it has another file open under that name). */
qk_status qk__remote_open(qk_store **out, const qk__remote_options *options, qk_error *err);

/* A connection to the same owner that he answers or drops only when he ends. *out: a descriptor for
 * poll, to be closed; anything readable on it means the end. Errors as above. */
qk_status qk__remote_watch(int *out, qk_store *store, qk_error *err);
/* True: he has ended, and in order. What he has not answered he has not done. Any thread. */
bool qk__remote_said_goodbye(int watch);

#endif
