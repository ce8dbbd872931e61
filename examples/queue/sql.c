/*
 * Asking in SQL while the queue works: one SELECT over the published views, with every function that
 * DuckDB has for numbers, text and time. Anything else is refused before it runs.
 */
#include "../example.h"

static void ask(qk_queue *queue, const char *sql)
{
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    printf("> %s\n", sql);
    qk_status rc = qk_rows_open(&rows, queue, sql, qk_us(0), &err);
    if (rc == QK_EREFUSED) {
        printf("  refused: %s\n", err.message);
        return;
    }
    check(rc, &err);
    while ((rc = qk_rows_next(rows, &err)) == QK_OK) {
        for (size_t i = 0; i < qk_rows_column_count(rows); i++) {
            const char *text = qk_rows_text(rows, i);
            printf("  %s=%s", qk_rows_column_name(rows, i), text ? text : "NULL");
        }
        printf("\n");
    }
    if (rc != QK_EMPTY)
        check(rc, &err);
    qk_rows_close(rows);
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = open_store(argc, argv, NULL);
    for (int i = 0; i < 20; i++) {
        char payload[64];
        snprintf(payload, sizeof(payload), "{\"customer\":%d,\"cents\":%d}", i % 3, i * 100);
        check(qk_enqueue(NULL, queue, i % 4 ? "bill" : "remind", payload, NULL, &err), &err);
    }
    ask(queue, "SELECT kind, count(*) AS n FROM jobs GROUP BY kind ORDER BY kind");
    ask(queue,
        "SELECT payload->>'customer' AS customer, sum(CAST(payload->>'cents' AS INTEGER)) AS "
        "cents FROM jobs WHERE kind = 'bill' GROUP BY ALL ORDER BY ALL");
    ask(queue, "DELETE FROM jobs");
    ask(queue, "SELECT * FROM read_text('/etc/hostname')");
    qk_queue_close(queue);
}
