/*
 * Figures: printed for people, kept for later rows, written as JSON.
 *
 * One thread of a row's process reports, one of the parent receives; no lock. A line on the channel
 * is key, value, unit and note between tabs. Keys become members of one flat JSON object, so that a
 * comparison of two runs needs no knowledge of rows.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void keep(bench *b, const bench_value *value)
{
    if (b->count == BENCH_VALUES_MAX) {
        fprintf(stderr, "queuack-bench: too many figures, %s is lost\n", value->key);
        return;
    }
    b->values[b->count++] = *value;
}

static void print(const bench_value *value)
{
    bool fine = fabs(value->value) < 100.0;
    printf("%-34s %14.*f %-6s %s\n", value->key, fine ? 3 : 0, value->value, value->unit,
           value->note);
    fflush(stdout);
}

void bench_report(bench *b, const char *key, double value, const char *unit, const char *note, ...)
{
    bench_value entry = { .value = value };
    snprintf(entry.key, sizeof entry.key, "%s", key);
    snprintf(entry.unit, sizeof entry.unit, "%s", unit);
    va_list args;
    va_start(args, note);
    vsnprintf(entry.note, sizeof entry.note, note, args);
    va_end(args);
    keep(b, &entry);
    if (b->channel < 0)
        print(&entry);
    else if (dprintf(b->channel, "%s\t%.9g\t%s\t%s\n", key, value, unit, entry.note) < 0)
        _exit(1);
}

double bench_find(const bench *b, const char *key)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->values[i].key, key) == 0)
            return b->values[i].value;
    return NAN;
}

void bench_receive(bench *b, char *line)
{
    bench_value entry = { .value = 0 };
    char *rest = line;
    const char *key = strsep(&rest, "\t"), *value = strsep(&rest, "\t");
    const char *unit = strsep(&rest, "\t");
    if (!rest)
        return;
    rest[strcspn(rest, "\n")] = 0;
    snprintf(entry.key, sizeof entry.key, "%s", key);
    snprintf(entry.unit, sizeof entry.unit, "%s", unit);
    snprintf(entry.note, sizeof entry.note, "%s", rest);
    entry.value = strtod(value, NULL);
    keep(b, &entry);
    print(&entry);
}

static void write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
    }
    fputc('"', file);
}

static void write_cpu(FILE *file)
{
    char line[256] = "", *name = NULL;
    FILE *info = fopen("/proc/cpuinfo", "re");
    while (info && !name && fgets(line, sizeof line, info))
        if (strncmp(line, "model name", 10) == 0)
            name = strchr(line, ':');
    if (info)
        fclose(info);
    write_text(file, name ? name + 2 : "unknown");
}

static void write_machine(FILE *file)
{
    struct utsname kernel = { 0 };
    uname(&kernel);
    fprintf(file, "  \"machine\": {\"cores\": %ld, \"memory_bytes\": %lld, \"cpu\": ",
            sysconf(_SC_NPROCESSORS_ONLN),
            (long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
    write_cpu(file);
    fputs(", \"kernel\": ", file);
    write_text(file, kernel.release);
    fputs("},\n", file);
}

static void write_head(FILE *file, const bench *b, const char *command)
{
    char when[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    fprintf(file, "{\n  \"queuack\": \"%s\", \"duckdb\": \"%s\", \"mode\": \"%s\",\n", qk_version(),
            qk_store_library_version(), b->full ? "full" : "quick");
    fprintf(file, "  \"finished_at\": \"%s\", \"command\": ", when);
    write_text(file, command);
    fputs(",\n", file);
    write_machine(file);
}

static void write_notes(FILE *file, const bench *b)
{
    fputs("  \"notes\": {", file);
    for (size_t i = 0; i < b->count; i++) {
        fprintf(file, "%s\n    \"%s\": [\"%s\", ", i ? "," : "", b->values[i].key,
                b->values[i].unit);
        write_text(file, b->values[i].note);
        fputc(']', file);
    }
    fputs("\n  }\n}\n", file);
}

bool bench_write_json(const bench *b, const char *path, const char *command)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!file) {
        fprintf(stderr, "queuack-bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    write_head(file, b, command);
    for (size_t i = 0; i < b->count; i++)
        if (isfinite(b->values[i].value))
            fprintf(file, "  \"%s\": %.6g,\n", b->values[i].key, b->values[i].value);
    write_notes(file, b);
    bool good = !ferror(file);
    if (file != stdout)
        good = fclose(file) == 0 && good;
    return good;
}
