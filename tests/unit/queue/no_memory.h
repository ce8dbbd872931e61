/*
 * Allocations that fail on demand, for the programs of this folder that include it.
 *
 * The program's own malloc, calloc and realloc stand before libc's. Only allocations that our code
 * asks for, directly or through libc and jansson, fail: DuckDB has other ways to run out of memory.
 * Either the thread that set `fail_at` fails, or, with `fail_anywhere`, whichever thread asks. Under a
 * sanitizer, which brings its own malloc, CAN_FAIL is 0 and tests skip.
 */
#ifndef QK_TESTS_NO_MEMORY_H
#define QK_TESTS_NO_MEMORY_H

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "handle_support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_FAIL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_FAIL 0
#endif
#endif
#ifndef CAN_FAIL
#define CAN_FAIL 1
#endif

/* The n-th allocation of this thread from now fails; 0: none. */
static _Thread_local long fail_at;
static _Thread_local bool has_failed;

/* The same over all threads, but those that set `spared`. */
static atomic_long fail_anywhere;
static atomic_bool has_failed_anywhere;
static _Thread_local bool spared;

typedef struct range {
    uintptr_t start, end;
} range;

static range foreign[16]; /* code whose allocations do not fail */
static size_t foreign_count;

static int note_foreign(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    if (!strstr(info->dlpi_name, "duckdb") && !strstr(info->dlpi_name, "stdc++"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && foreign_count < 16; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        foreign[foreign_count++] = (range){ start, start + info->dlpi_phdr[i].p_memsz };
    }
    return 0;
}

#if CAN_FAIL
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static bool its_turn(void)
{
    if (fail_at > 0 && --fail_at == 0)
        return has_failed = true;
    if (spared || atomic_load(&fail_anywhere) <= 0 || atomic_fetch_sub(&fail_anywhere, 1) != 1)
        return false;
    return has_failed_anywhere = true;
}

static bool must_fail(const void *caller)
{
    if (fail_at == 0 && atomic_load(&fail_anywhere) <= 0)
        return false;
    for (size_t i = 0; i < foreign_count; i++) {
        if ((uintptr_t)caller >= foreign[i].start && (uintptr_t)caller < foreign[i].end)
            return false;
    }
    if (!its_turn())
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
#endif

#define SKIP_IF_SANITIZED()                                                                        \
    do {                                                                                           \
        if (!CAN_FAIL)                                                                             \
            skip();                                                                                \
    } while (0)

#endif
