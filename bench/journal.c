/*
 * The raw limit: rows of a journal and nothing else; see duck.h. One thread.
 *
 * A lifecycle is the image of a waiting job and that of the same job done, with the columns of
 * docs/file-format.md, the same number of values and texts of the same length as Queuack's own.
 */
#include <string.h>

#include "duck.h"
#include "scene.h"

#define LIFECYCLES_PER_CHUNK 1024
#define FIRST_US 1700000000000000LL

enum {
    COLUMN_BATCH,
    COLUMN_OP,
    COLUMN_ID,
    COLUMN_SEQ,
    COLUMN_KIND = 6,
    COLUMN_QUEUE,
    COLUMN_PRIORITY,
    COLUMN_PAYLOAD,
    COLUMN_CREATED,
    COLUMN_STATUS,
    COLUMN_CLAIMED = 13,
    COLUMN_CLAIMED_BY,
    COLUMN_FINISHED,
    COLUMN_ATTEMPTS,
    COLUMN_ATTEMPT
};

static const duckdb_type types[BENCH_JOURNAL_COLUMNS] = {
    DUCKDB_TYPE_BIGINT,    DUCKDB_TYPE_UTINYINT,  DUCKDB_TYPE_UUID,      DUCKDB_TYPE_BIGINT,
    DUCKDB_TYPE_UUID,      DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
    DUCKDB_TYPE_UTINYINT,  DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_UTINYINT,
    DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_TIMESTAMP,
    DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
    DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_VARCHAR,
};

static const char create_sql[] =
    "CREATE TABLE journal(batch BIGINT, op UTINYINT, id UUID, seq BIGINT, related UUID,"
    " node VARCHAR, kind VARCHAR, queue VARCHAR, priority UTINYINT, payload VARCHAR,"
    " created_at TIMESTAMP, status UTINYINT, execute_after TIMESTAMP, claimed_at TIMESTAMP,"
    " claimed_by VARCHAR, finished_at TIMESTAMP, attempts INTEGER, attempt INTEGER,"
    " result VARCHAR, error VARCHAR, exit_code INTEGER, log_tail VARCHAR, ext VARCHAR)";

void bench_journal_open(bench_journal *journal, const char *path)
{
    journal->next = 0;
    bench_duck_open(&journal->duck, path);
    bench_duck_run(&journal->duck, create_sql);
    bench_duck_run(&journal->duck, "CHECKPOINT");
    bench_duck_run(&journal->duck, "PRAGMA disable_checkpoint_on_shutdown");
    for (size_t i = 0; i < BENCH_JOURNAL_COLUMNS; i++)
        journal->types[i] = duckdb_create_logical_type(types[i]);
    journal->chunk = duckdb_create_data_chunk(journal->types, BENCH_JOURNAL_COLUMNS);
}

void bench_journal_close(bench_journal *journal)
{
    duckdb_destroy_data_chunk(&journal->chunk);
    for (size_t i = 0; i < BENCH_JOURNAL_COLUMNS; i++)
        duckdb_destroy_logical_type(&journal->types[i]);
    bench_duck_close(&journal->duck);
}

static void *column(bench_journal *journal, size_t index, bool nullable)
{
    duckdb_vector vector = duckdb_data_chunk_get_vector(journal->chunk, index);
    if (nullable)
        duckdb_vector_ensure_validity_writable(vector);
    return duckdb_vector_get_data(vector);
}

/* Sets the validity of every 64 rows: 0 for none, alternating bits for those of finished jobs. */
static void clear(bench_journal *journal, size_t index, uint64_t mask, size_t rows)
{
    duckdb_vector vector = duckdb_data_chunk_get_vector(journal->chunk, index);
    duckdb_vector_ensure_validity_writable(vector);
    uint64_t *valid = duckdb_vector_get_validity(vector);
    for (size_t i = 0; i < (rows + 63) / 64; i++)
        valid[i] = mask;
}

static void fill_numbers(bench_journal *journal, uint64_t batch, size_t rows)
{
    int64_t *batches = column(journal, COLUMN_BATCH, false);
    uint8_t *ops = column(journal, COLUMN_OP, false);
    duckdb_hugeint *ids = column(journal, COLUMN_ID, false);
    int64_t *seqs = column(journal, COLUMN_SEQ, false);
    uint8_t *priorities = column(journal, COLUMN_PRIORITY, false);
    uint8_t *statuses = column(journal, COLUMN_STATUS, false);
    int32_t *attempts = column(journal, COLUMN_ATTEMPTS, false);
    int32_t *attempt = column(journal, COLUMN_ATTEMPT, false);
    for (size_t i = 0; i < rows; i++) {
        uint64_t number = journal->next + i / 2;
        batches[i] = (int64_t)batch;
        ops[i] = 0;
        ids[i].upper = (int64_t)(number / 100 + 12345678);
        ids[i].lower = number * 0x9E3779B97F4A7C15ULL;
        seqs[i] = (int64_t)number;
        priorities[i] = QK_PRIORITY_DEFAULT;
        statuses[i] = i & 1 ? QK_JOB_DONE : QK_JOB_PENDING;
        attempts[i] = attempt[i] = i & 1;
    }
}

static void fill_times(bench_journal *journal, size_t rows)
{
    static const size_t columns[] = { COLUMN_CREATED, COLUMN_CLAIMED, COLUMN_FINISHED };
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        int64_t *times = column(journal, columns[c], true);
        for (size_t i = 0; i < rows; i++)
            times[i] = FIRST_US + (int64_t)((journal->next + i / 2) * 10 + c);
    }
}

static void put_text(duckdb_string_t *out, const char *text, uint32_t length)
{
    if (length <= sizeof out->value.inlined.inlined) {
        out->value.inlined.length = length;
        memcpy(out->value.inlined.inlined, text, length);
        return;
    }
    out->value.pointer.length = length;
    memcpy(out->value.pointer.prefix, text, sizeof out->value.pointer.prefix);
    out->value.pointer.ptr = (char *)(uintptr_t)text;
}

static void fill_texts(bench_journal *journal, size_t rows)
{
    static char payloads[LIFECYCLES_PER_CHUNK][BENCH_PAYLOAD_SIZE];
    static const char worker[] = "bench-12345-abcdef01";
    duckdb_string_t *kinds = column(journal, COLUMN_KIND, false);
    duckdb_string_t *queues = column(journal, COLUMN_QUEUE, false);
    duckdb_string_t *payload = column(journal, COLUMN_PAYLOAD, false);
    duckdb_string_t *workers = column(journal, COLUMN_CLAIMED_BY, true);
    for (size_t i = 0; i < rows; i++) {
        if (!(i & 1))
            bench_payload(payloads[i / 2], journal->next + i / 2, 36);
        put_text(&kinds[i], BENCH_KIND, sizeof BENCH_KIND - 1);
        put_text(&queues[i], "default", 7);
        put_text(&payload[i], payloads[i / 2], 36);
        put_text(&workers[i], worker, sizeof worker - 1);
    }
}

static void fill(bench_journal *journal, uint64_t batch, size_t rows)
{
    static const size_t empty[] = { 4, 5, 12, 18, 19, 20, 21, 22 };
    static const size_t when_done[] = { COLUMN_CLAIMED, COLUMN_CLAIMED_BY, COLUMN_FINISHED };
    duckdb_data_chunk_reset(journal->chunk);
    fill_numbers(journal, batch, rows);
    fill_times(journal, rows);
    fill_texts(journal, rows);
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        clear(journal, empty[i], 0, rows);
    for (size_t i = 0; i < sizeof when_done / sizeof *when_done; i++)
        clear(journal, when_done[i], 0xAAAAAAAAAAAAAAAAULL, rows);
    duckdb_data_chunk_set_size(journal->chunk, rows);
}

void bench_journal_commit(bench_journal *journal, uint64_t lifecycles)
{
    duckdb_appender appender = NULL;
    uint64_t batch = journal->next;
    bench_duck_run(&journal->duck, "BEGIN");
    if (duckdb_appender_create(journal->duck.connection, NULL, "journal", &appender))
        bench_die("no DuckDB appender");
    while (lifecycles) {
        uint64_t count = lifecycles < LIFECYCLES_PER_CHUNK ? lifecycles : LIFECYCLES_PER_CHUNK;
        fill(journal, batch, (size_t)count * 2);
        if (duckdb_append_data_chunk(appender, journal->chunk))
            bench_die("DuckDB: %s", duckdb_appender_error(appender));
        journal->next += count;
        lifecycles -= count;
    }
    if (duckdb_appender_destroy(&appender))
        bench_die("DuckDB could not flush the appender");
    bench_duck_run(&journal->duck, "COMMIT");
}
