/*
 * Plain DuckDB on a copy of a store; see plain.h.
 */
#include "plain.h"

#include <duckdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

static void copy_file(const char *from, const char *to)
{
    static char buffer[1 << 16];
    ssize_t got;
    (void)unlink(to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return; /* no log: nothing to copy */
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (out >= 0 && (got = read(in, buffer, sizeof(buffer))) > 0) {
        if (write(out, buffer, (size_t)got) != got)
            abort();
    }
    if (out < 0)
        abort();
    close(out);
    close(in);
}

void plain_copy(char *out, size_t size, const char *store, const char *folder)
{
    static const char *const suffixes[] = { "", ".wal", ".wal.checkpoint", ".wal.recovery" };
    char from[4096], to[4096];
    snprintf(out, size, "%s/copy.db", folder);
    io_hold();
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        snprintf(from, sizeof(from), "%s%s", store, suffixes[i]);
        snprintf(to, sizeof(to), "%s%s", out, suffixes[i]);
        copy_file(from, to);
    }
    io_release();
}

bool plain_numbers(const char *path, const char *const *statements, int64_t *numbers, size_t count)
{
    duckdb_database database = NULL;
    duckdb_connection connection = NULL;
    char *error = NULL;
    bool good = true;
    if (duckdb_open_ext(path, &database, NULL, &error) != DuckDBSuccess ||
        duckdb_connect(database, &connection) != DuckDBSuccess) {
        fprintf(stderr, "plain DuckDB: %s\n", error ? error : "no connection");
        duckdb_free(error);
        return false;
    }
    for (size_t i = 0; good && i < count; i++) {
        duckdb_result result;
        good = duckdb_query(connection, statements[i], &result) == DuckDBSuccess;
        if (good)
            numbers[i] = duckdb_value_int64(&result, 0, 0);
        else
            fprintf(stderr, "plain DuckDB: %s: %s\n", statements[i], duckdb_result_error(&result));
        duckdb_destroy_result(&result);
    }
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    return good;
}
