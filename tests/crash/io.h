/*
 * Faults of the disk, and kills at chosen points of a commit.
 *
 * io.c defines open, close, write, pwrite, fsync, ftruncate, fallocate, rename and unlink in the
 * test program itself. The dynamic linker then binds libduckdb's calls to these, so that a test
 * decides what happens to each without a preloaded library. They make the system call directly and
 * behave like libc's as long as no rule is armed. Files are told apart by the name they were opened
 * under.
 *
 * A rule is armed by one thread at a time; it may be hit on any thread.
 */
#ifndef QK_TESTS_CRASH_IO_H
#define QK_TESTS_CRASH_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum io_file {
    IO_OTHER = 0,
    IO_MAIN = 1, /* the database file */
    IO_WAL = 2, /* its log, and the logs beside it during a checkpoint */
    IO_FILES = 3,
};

enum io_call {
    IO_WRITE = 0, /* write, pwrite */
    IO_SYNC = 1,
    IO_TRUNCATE = 2, /* ftruncate, fallocate */
    IO_RENAME = 3, /* rename, unlink */
    IO_OPEN = 4,
    IO_CALLS = 5,
};

enum io_action {
    IO_PASS = 0,
    IO_KILL_BEFORE,
    IO_KILL_HALF, /* a write: half of it is done first */
    IO_KILL_AFTER,
    IO_FAIL, /* not done; returns -1 with `error` */
    IO_FAIL_HALF, /* a write: half of it is done, then -1 with `error` */
    IO_FAIL_AFTER, /* done all the same; returns -1 with `error` */
};

struct io_rule {
    unsigned files; /* bit set: 1 << IO_… */
    unsigned calls; /* bit set: 1 << IO_… */
    enum io_action action;
    int error; /* errno */
    uint64_t skip; /* so many matching calls pass first */
    uint64_t times; /* then so many are hit; 0: all */
    atomic_int *hits; /* counted up just before the action; NULL: not wanted */
};

void io_arm(const struct io_rule *rule);
void io_disarm(void);
/* Calls since the program started. */
uint64_t io_count(enum io_file file, enum io_call call);
/* How often the armed rule (or the one last armed) was hit. */
uint64_t io_hits(void);

/* Between these two calls of one thread no other changes a store's files: what lies there is what a
 * kill at this moment would leave. */
void io_hold(void);
void io_release(void);

#endif
