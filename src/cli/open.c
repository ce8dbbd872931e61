/*
 * Opening the store: which one, whether it may be made, and what the library has to say meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "stores.h"

const char *cli_store_url(const cli *cli)
{
    const char *url = cli_value(cli, "db");
    if (!url) {
        url = getenv("QUEUACK_DB");
        if (url && !*url)
            url = NULL;
    }
    return url ? url : "./queuack.duckdb";
}

static qk_status check_url(cli *cli, const char *url)
{
    static const char *const later[] = { "postgres:", "postgresql:", "http:", "https:", "unix:" };
    if (!*url)
        return cli_error(&cli->err, QK_EINVAL, "--db is empty: name a file");
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (strncmp(url, later[i], strlen(later[i])) == 0)
            return cli_error(&cli->err, QK_EUNSUPPORTED,
                             "this build opens files only, not \"%.*s\": name a file with --db",
                             (int)strlen(later[i]), url);
    }
    return QK_OK;
}

/* Commands that work until they are told to stop; the others leave the file to them. */
static bool stays(const cli *cli)
{
    static const char *const names[] = { "worker", "run", "serve" };
    for (size_t i = 0; cli->command && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(cli->command->name, names[i]) == 0)
            return true;
    }
    return false;
}

qk_status cli_open(cli *cli, bool create)
{
    const char *url = cli_store_url(cli);
    bool memory = strcmp(url, ":memory:") == 0;
    bool missing = !memory && access(url, F_OK) != 0 && errno == ENOENT;
    qk_status rc = check_url(cli, url);
    if (rc)
        return rc;
    if (missing && !create)
        return cli_error(&cli->err, QK_ESTORE,
                         "there is no store at %.300s: name another with --db, or enqueue a job "
                         "to make it",
                         url);
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.must_exist = !create && !memory;
    options.owner_wait = cli->owner_wait;
    options.brief = !stays(cli);
    cli_log_options(cli, &options);
    cli_stores stores;
    rc = cli_stores_read(cli, &stores);
    options.stores = stores.items;
    options.store_count = stores.count;
    if (!rc)
        rc = qk_queue_open(&cli->queue, url, &options, &cli->err);
    cli_stores_dispose(&stores);
    if (rc == QK_ENOTFOUND)
        cli->err.code = rc = QK_ESTORE; /* a missing store is not a missing job */
    if (!rc && missing)
        cli_note(cli, "created %s", url);
    return rc;
}

void cli_close(cli *cli)
{
    qk_queue_close(cli->queue);
    cli->queue = NULL;
}
