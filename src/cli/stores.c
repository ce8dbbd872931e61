/*
 * --store and $QUEUACK_STORES; see stores.h. What is wrong is told without the URL, which may hold a
 * password.
 */
#include "stores.h"

#include <stdlib.h>
#include <string.h>

static bool has(const cli_stores *stores, const char *alias)
{
    for (size_t i = 0; i < stores->count; i++) {
        if (strcmp(stores->items[i].alias, alias) == 0)
            return true;
    }
    return false;
}

/* Cuts "ALIAS=URL" in two, in place. */
static qk_status add(cli *cli, cli_stores *out, char *text, const char *from)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return cli_error(&cli->err, QK_EINVAL, "%s: write ALIAS=URL, such as gpu=/srv/gpu.duckdb",
                         from);
    *equals = '\0';
    if (!has(out, text))
        out->items[out->count++] = (qk_store_alias){ text, equals + 1 };
    return QK_OK;
}

static size_t length_of(const cli *cli, const char *environment)
{
    size_t length = strlen(environment) + 1, at = 0;
    const char *text;
    while ((text = cli_next_value(cli, "store", &at)))
        length += strlen(text) + 1;
    return length;
}

qk_status cli_stores_read(cli *cli, cli_stores *out)
{
    const char *environment = getenv("QUEUACK_STORES");
    const char *text;
    size_t at = 0;
    qk_status rc = QK_OK;
    environment = environment ? environment : "";
    size_t length = length_of(cli, environment);
    *out = (cli_stores){ calloc(length, sizeof(*out->items)), 0, malloc(length) };
    if (!out->items || !out->text)
        return cli_error(&cli->err, QK_ENOMEM, "out of memory");
    char *to = out->text;
    while (!rc && (text = cli_next_value(cli, "store", &at))) {
        strcpy(to, text);
        rc = add(cli, out, to, "--store");
        to += strlen(text) + 1;
    }
    strcpy(to, environment);
    for (char *rest = to, *part; !rc && (part = strsep(&rest, ";"));) {
        if (*part)
            rc = add(cli, out, part, "QUEUACK_STORES");
    }
    return rc;
}

void cli_stores_dispose(cli_stores *stores)
{
    free(stores->items);
    free(stores->text);
}
