/*
 * Examining a store, and saving what can be read of a damaged one; see check.h and upkeep.h.
 *
 * Steps: from outside, then on the copy: DuckDB opens it (if its log is damaged: without the log),
 * every row of every table is read, the journal's own rules are looked at, and at last the store is
 * opened as its owner would and the engine's invariants are checked. What was read on the way can be
 * written to a new store.
 */
#include "store/embedded/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/embedded/copy.h"
#include "store/embedded/database.h"
#include "store/embedded/embedded_internal.h"
#include "util/clock.h"
#include "util/error.h"

typedef struct rule {
    const char *sql; /* counts the rows that break it */
    const char *text;
} rule;

#define BOTH "(FROM main.journal_a UNION ALL FROM main.journal_b)"

_Static_assert(QK__OP_RUN == 9, "the first rule knows the last kind of row");

static const rule rules[] = {
    { "SELECT count(*) FROM " BOTH " WHERE op > 9 OR batch IS NULL OR op IS NULL",
      "journal rows are of no known kind" },
    { "SELECT count(*) FROM " BOTH
      " WHERE op <= 1 AND (id IS NULL OR kind IS NULL OR queue IS NULL "
      "OR status > 6)",
      "journal rows lack what a job must have" },
    { "SELECT count(*) FROM (SELECT id FROM " BOTH " WHERE op <= 1 GROUP BY batch, id, "
      "status, attempt HAVING count(DISTINCT seq) > 1)",
      "jobs stand in one batch twice, and differ" },
    { "SELECT count(*) FROM main.history WHERE id IS NULL OR kind IS NULL OR status NOT BETWEEN 3 "
      "AND 6",
      "rows of the history are not of ended jobs" },
    { "SELECT count(*) - count(DISTINCT id) FROM main.history",
      "jobs stand in the history more than once" },
    { "SELECT count(*) FROM main.edges WHERE child IS NULL OR parent IS NULL OR child = parent",
      "dependencies lack an end, or lead to themselves" },
};

static qk__store_config config_of(const qk__check *check)
{
    qk__store_config config = { 0 };
    config.path = check->copy;
    config.must_exist = true;
    config.default_queue = "default";
    config.max_payload = SIZE_MAX / 4;
    config.backpressure_warn = config.backpressure_limit = UINT64_MAX;
    config.temp_dir = check->folder;
    config.clock = qk__clock_system();
    return config;
}

/* With the log, then without it. QK_EDAMAGED when neither works. */
static qk_status open_copy(qk__check *check, duckdb_database *out, qk__spill *spill)
{
    qk__store_config config = config_of(check);
    qk_error why = QK_ERROR_INIT;
    qk_status rc = qk__database_open(out, spill, &config, &why);
    if (rc == QK_OK) {
        return rc;
    }
    if (rc != QK_EDAMAGED && rc != QK_EIO && rc != QK_EINTERNAL) {
        return qk__error(check->err, rc, "%s", why.message);
    }
    qk__check_found(check, QK_FINDING_DAMAGE, check->has_log ? "log" : "file", "%.500s",
                    why.message);
    if (check->has_log) {
        qk_error ignored = QK_ERROR_INIT;
        qk__check_remove_log(check);
        rc = qk__database_open(out, spill, &config, &ignored);
        if (rc == QK_OK) {
            qk__check_found(check, QK_FINDING_NOTE, "log",
                            "without its log the file can be read, as it was at the last "
                            "checkpoint");
            return rc;
        }
    }
    qk__check_found(check, QK_FINDING_NOTE, "saved",
                    "DuckDB cannot read the file: nothing can be "
                    "saved from it");
    return qk__error(check->err, QK_EDAMAGED, "%s cannot be opened: restore it from a backup",
                     check->path);
}

/* Reads every table; rows go to `to` if there is one. */
static qk_status read_tables(qk__check *check, duckdb_connection from, duckdb_connection to,
                             bool report)
{
    qk__row_progress progress = {
        check->options->progress, check->options->progress_user, 0, 0, NULL, NULL
    };
    uint64_t read = 0;
    qk_status rc = QK_OK;
    for (size_t i = 0; qk__table_names[i] != NULL; i++) {
        progress.total += qk__table_count(from, qk__table_names[i]);
    }
    for (size_t i = 0; rc == QK_OK && qk__table_names[i] != NULL; i++) {
        qk__table_rows rows;
        rc = qk__table_copy(from, to, qk__table_names[i], true, &progress, &rows, check->err);
        read += rows.read;
        if (rc == QK_OK && rows.lost > 0 && report) {
            qk__check_found(check, QK_FINDING_DAMAGE, "tables",
                            "%s: %llu rows can be read, about %llu cannot: %.300s",
                            qk__table_names[i], (unsigned long long)rows.read,
                            (unsigned long long)rows.lost, rows.error);
        }
    }
    if (rc == QK_OK && report) {
        qk__check_found(check, QK_FINDING_GOOD, "tables", "%llu rows can be read",
                        (unsigned long long)read);
    } else if (rc == QK_OK) {
        qk__check_found(check, QK_FINDING_GOOD, "saved", "%llu rows were written to %s",
                        (unsigned long long)read, check->options->save_to);
    }
    return rc;
}

static void check_rules(qk__check *check, duckdb_connection connection)
{
    size_t broken = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        duckdb_result result;
        int64_t count = 0;
        if (duckdb_query(connection, rules[i].sql, &result) == DuckDBSuccess) {
            count = duckdb_value_int64(&result, 0, 0);
        } /* what cannot be read was reported with its table */
        duckdb_destroy_result(&result);
        if (count > 0) {
            broken++;
            qk__check_found(check, QK_FINDING_DAMAGE, "log", "%lld %s", (long long)count,
                            rules[i].text);
        }
    }
    if (broken == 0) {
        qk__check_found(check, QK_FINDING_GOOD, "log", "the journal and the history are in order");
    }
}

/* As its owner would open it; the copy changes, the file does not. */
static void check_engine(qk__check *check, const char *path, const char *part)
{
    qk_store *base = NULL;
    qk_error why = QK_ERROR_INIT;
    qk__store_config config = config_of(check);
    config.path = path;
    config.temp_dir = NULL;
    if (qk__embedded_open(&base, &config, &why) != QK_OK) {
        qk__check_found(check, QK_FINDING_DAMAGE, part, "the store does not open: %.400s",
                        why.message);
        return;
    }
    struct embedded *store = embedded_of(base);
    pthread_mutex_lock(&store->lock);
    const char *broken = qk__engine_check(store->engine);
    size_t live = qk__engine_live(store->engine);
    pthread_mutex_unlock(&store->lock);
    if (broken != NULL) {
        qk__check_found(check, QK_FINDING_DAMAGE, part, "does not hold: %.400s", broken);
    } else {
        qk__check_found(check, QK_FINDING_GOOD, part,
                        "the store opens, with %zu jobs that have not ended, and they are "
                        "consistent",
                        live);
    }
    base->ops->close(base);
}

static qk_status save(qk__check *check, duckdb_connection from)
{
    qk__copy copy;
    qk__store_config config = config_of(check);
    const qk_check_options *options = check->options;
    qk_status rc = qk__copy_begin(&copy, options->save_to, options->overwrite, check->path, &config,
                                  check->err);
    if (rc != QK_OK) {
        return rc;
    }
    rc = read_tables(check, from, copy.connection, false);
    if (rc == QK_OK) {
        rc = qk__copy_publish(&copy, check->err);
    }
    qk__copy_drop(&copy);
    if (rc == QK_OK && check->damages > 0) {
        qk__check_found(
            check, QK_FINDING_NOTE, "saved",
            "jobs whose last rows were lost are as they stood before and may run again");
    }
    return rc;
}

static qk_status check_content(qk__check *check)
{
    duckdb_database database = NULL;
    duckdb_connection connection = NULL;
    qk__spill spill;
    qk_status rc = open_copy(check, &database, &spill);
    if (rc == QK_OK && duckdb_connect(database, &connection) != DuckDBSuccess) {
        rc = qk__error(check->err, QK_ENOMEM, "out of memory");
    }
    if (rc == QK_OK) {
        rc = read_tables(check, connection, NULL, true);
    }
    if (rc == QK_OK) {
        check_rules(check, connection);
    }
    if (rc == QK_OK && check->options->save_to != NULL) {
        rc = save(check, connection);
    }
    if (connection != NULL) {
        duckdb_disconnect(&connection);
    }
    qk__database_close(&database, &spill);
    if (rc == QK_OK) {
        check_engine(check, check->copy, "invariants");
    }
    return rc;
}

qk_status qk__embedded_check(const char *path, const qk_check_options *options, qk_error *err)
{
    qk__check check = { .path = path, .options = options, .err = err };
    qk_status rc = QK_OK;
    if (options->save_to != NULL) { /* known before everything is read */
        rc = qk__copy_allowed(options->save_to, options->overwrite, path, err);
    }
    rc = rc == QK_OK ? qk__check_file(&check) : rc;
    if (rc == QK_OK) {
        rc = check_content(&check);
    }
    qk__check_remove_copy(&check);
    if (rc == QK_OK && check.damages > 0) {
        rc = qk__error(err, QK_EDAMAGED,
                       options->save_to != NULL
                           ? "%s is damaged: what could be read was written to the new store"
                           : "%s is damaged: restore a backup, or save what can be read",
                       path);
    }
    return rc;
}
