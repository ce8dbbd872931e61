/*
 * See alive.h.
 */
#include "alive.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sql_text.h"
#include "values.h"

#define SILENT_US 90000000 /* several heartbeats */

bool cli_worker_alive(const char *host, const char *pid, const char *heartbeat_at)
{
    char here[256] = "";
    struct timespec now;
    qk_time seen = cli_time_read(heartbeat_at);
    clock_gettime(CLOCK_REALTIME, &now);
    if (!host || !pid || seen.us < (int64_t)now.tv_sec * 1000000 - SILENT_US)
        return false;
    gethostname(here, sizeof(here) - 1);
    long number = strtol(pid, NULL, 10);
    return strcmp(here, host) != 0 || number <= 0 || kill((pid_t)number, 0) == 0 || errno != ESRCH;
}

qk_status cli_workers_count(cli *cli, cli_workers *out, const char *queue)
{
    qk_rows *rows = NULL;
    *out = (cli_workers){ 0, 0 };
    qk_status rc =
        queue ? cli_sql_open(cli, &rows,
                             "SELECT host, pid, heartbeat_at, slots - running FROM workers WHERE "
                             "list_contains(CAST(queues AS VARCHAR[]), %L)",
                             queue)
              : cli_sql_open(cli, &rows,
                             "SELECT host, pid, heartbeat_at, slots - running FROM workers");
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *slots = qk_rows_text(rows, 3);
        if (cli_worker_alive(qk_rows_text(rows, 0), qk_rows_text(rows, 1), qk_rows_text(rows, 2))) {
            out->alive++;
            out->free_slots += slots ? strtoll(slots, NULL, 10) : 0;
        }
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}
