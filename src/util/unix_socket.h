/*
 * Unix stream sockets by path, without the 108 bytes that a socket address can hold: the folder or
 * the socket itself is opened first and named through /proc/self/fd. Any thread.
 */
#ifndef QK_UTIL_UNIX_SOCKET_H
#define QK_UTIL_UNIX_SOCKET_H

#include <queuack/types.h>

/*
 * A listening socket at `path`, mode 0600, close-on-exec. One that lies there already is replaced at
 * once, without a moment in which there is none: the caller must know that it is stale. As root the
 * socket is given to the owner of `like` (a file beside it; NULL: nobody).
 * *out: the descriptor. QK_EIO (permissions, a file system without sockets), QK_EREFUSED (something
 * else lies there).
 */
qk_status qk__unix_listen(int *out, const char *path, const char *like, qk_error *err);

/*
 * A connection, close-on-exec and non-blocking. Fails with system_errno set: ENOENT and ECONNREFUSED
 * (QK_ESTORE: nobody listens), EACCES (QK_EREFUSED), ETIMEDOUT (QK_ESTORE: the listener's queue stays
 * full), others (QK_EIO).
 */
qk_status qk__unix_connect(int *out, const char *path, int64_t wait_us, qk_error *err);
/* The same to a socket that was opened with O_PATH; the descriptor stays the caller's. */
qk_status qk__unix_connect_to(int *out, int target, int64_t wait_us, qk_error *err);

#endif
