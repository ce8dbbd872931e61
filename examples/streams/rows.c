/*
 * Streams: rows go into a Parquet file one at a time, and come out of it again. However many there
 * are, a few thousand are in memory; and until the file is finished there is none.
 */
#include "../example.h"

#include <string.h>
#include <unistd.h>

static const qk_field fields[] = {
    { "station", QK_FIELD_TEXT },
    { "hour", QK_FIELD_INT },
    { "degrees", QK_FIELD_DOUBLE },
};

static void write_file(const char *path)
{
    static const char *const stations[] = { "harbour", "hill", "school" };
    qk_error err = QK_ERROR_INIT;
    qk_writer *writer = NULL;
    check(qk_writer_open(&writer, path, fields, 3, NULL, &err), &err);
    for (int i = 0; i < 300000; i++) {
        check(qk_writer_text(writer, 0, stations[i % 3], &err), &err);
        check(qk_writer_int(writer, 1, i / 3 % 24, &err), &err);
        if (i % 1000 != 7) /* a sensor that did not answer: NULL */
            check(qk_writer_double(writer, 2, (i % 41) / 2.0, &err), &err);
        check(qk_writer_row(writer, &err), &err);
    }
    printf("before the end: %s\n", access(path, F_OK) == 0 ? "a file" : "no file");
    check(qk_writer_finish(writer, &err), &err);
    qk_writer_close(writer);
    printf("after it: %s\n", access(path, F_OK) == 0 ? "a file" : "no file");
}

static void read_file(const char *path)
{
    qk_error err = QK_ERROR_INIT;
    qk_reader *reader = NULL;
    qk_status rc;
    long rows = 0, missing = 0, hill = 0;
    double warmest = -1000;
    check(qk_reader_open(&reader, path, NULL, &err), &err);
    while ((rc = qk_reader_next(reader, &err)) == QK_OK) {
        rows++;
        if (qk_reader_is_null(reader, 2))
            missing++;
        else if (qk_reader_double(reader, 2) > warmest)
            warmest = qk_reader_double(reader, 2);
        if (strcmp(qk_reader_text(reader, 0, NULL), "hill") == 0)
            hill++;
    }
    if (rc != QK_EMPTY)
        check(rc, &err);
    printf("%ld rows, %ld of the hill, %ld without a value, at most %.1f degrees\n", rows, hill,
           missing, warmest);
    qk_reader_close(reader);
}

int main(void)
{
    char path[512];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof(path), "%s/weather-%ld.parquet", folder ? folder : "/tmp",
             (long)getpid());
    write_file(path);
    read_file(path);
    unlink(path);
}
