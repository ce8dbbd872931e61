/*
 * The stores that the conformance suite runs on. A further store adds its row here.
 */
#include "suite.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static void file_url(char *out, size_t size, const suite *s)
{
    snprintf(out, size, "%.*s/jobs.duckdb", (int)size - 16, s->folder);
}

/* What may lie beside a store; anything else makes the test fail when its folder is removed. */
static void file_dispose(suite *s)
{
    static const char *const suffixes[] = { "", ".wal", ".lock" };
    char path[5000];
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", s->url, suffixes[i]);
        (void)unlink(path);
    }
}

static void memory_url(char *out, size_t size, const suite *s)
{
    (void)s;
    snprintf(out, size, ":memory:");
}

const suite_opener suite_openers[] = {
    { "file", true, true, file_url, file_dispose },
    { "memory", false, true, memory_url, NULL },
};
const size_t suite_opener_count = sizeof(suite_openers) / sizeof(*suite_openers);
