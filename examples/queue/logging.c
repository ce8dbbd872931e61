/*
 * Logging: the library says nothing until it is asked to. Here its records go to standard output as
 * JSON, a line each; QK_LOG_TEXT would make logfmt of them, and a function of your own gets the fields.
 */
#include <unistd.h>

#include "../example.h"

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    qk_log_sink sink = { STDOUT_FILENO, QK_LOG_JSON };
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.log = qk_log_to_sink;
    options.log_user = &sink;
    options.log_level = QK_LOG_INFO;
    options.backpressure_warn = 2;
    qk_queue *queue = open_store(argc, argv, &options);

    qk_id id;
    check(qk_enqueue(&id, queue, "mail", NULL, NULL, &err), &err);
    check(qk_enqueue(NULL, queue, "mail", NULL, NULL, &err), &err);
    check(qk_queue_pause(queue, "default", &err), &err);
    check(qk_cancel(queue, id, &err), &err);

    qk_rows *rows = NULL;
    qk_status rc = qk_rows_open(&rows, queue, "DROP\nTABLE jobs", qk_us(0), &err);
    printf("the query was %s\n", rc == QK_EREFUSED ? "refused" : "not refused");
    qk_queue_close(queue);
}
