/*
 * The readers' pool; see reader.h and reader_internal.h.
 *
 * Slots are opened when first needed. Callers wait on `changed` for a free one. The watchdog is a
 * thread started with the first deadline; it interrupts what is late, and again a moment later,
 * because an interrupt that falls between two statements of a slot is lost. Closing does the same
 * for every busy slot until all are back.
 */
#include "store/embedded/reader_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/embedded/database.h"
#include "store/embedded/live_table.h"
#include "store/embedded/views.h"
#include "util/error.h"

#define AGAIN_US 20000 /* between two interrupts of the same slot */

int64_t qk__reader_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* With the mutex held. until_us 0: for ever. */
static void wait_until(qk__reader *reader, int64_t until_us)
{
    if (!until_us) {
        pthread_cond_wait(&reader->changed, &reader->mutex);
        return;
    }
    struct timespec until = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };
    pthread_cond_timedwait(&reader->changed, &reader->mutex, &until);
}

/* With the mutex held: interrupts what must stop; when to look again, 0: no need. */
static int64_t interrupt_late(qk__reader *reader)
{
    int64_t now = qk__reader_monotonic_us(), next = 0;
    for (size_t i = 0; i < QK__READER_SLOTS; i++) {
        qk__slot *slot = &reader->slots[i];
        if (!slot->busy)
            continue;
        int64_t when = slot->deadline_us;
        if (slot->stop == QK__SLOT_RUNS && reader->closing)
            slot->stop = QK__SLOT_CLOSING;
        if (slot->stop == QK__SLOT_RUNS && when && when <= now)
            slot->stop = QK__SLOT_LATE;
        if (slot->stop != QK__SLOT_RUNS) {
            if (slot->connection)
                duckdb_interrupt(slot->connection);
            when = now + AGAIN_US;
        }
        if (when && (!next || when < next))
            next = when;
    }
    return next;
}

static void *watch(void *argument)
{
    qk__reader *reader = argument;
    pthread_mutex_lock(&reader->mutex);
    while (!reader->closing)
        wait_until(reader, interrupt_late(reader));
    pthread_mutex_unlock(&reader->mutex);
    return NULL;
}

/* With the mutex held. */
static qk_status start_watchdog(qk__reader *reader, qk_error *err)
{
    if (reader->watched)
        return QK_OK;
    int failure = pthread_create(&reader->watchdog, NULL, watch, reader);
    if (failure)
        return qk__error_errno(err, QK_ENOMEM, failure, "cannot start a thread");
    reader->watched = true;
    return QK_OK;
}

void qk__reader_interrupt(qk__reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    for (size_t i = 0; i < QK__READER_SLOTS; i++) {
        qk__slot *slot = &reader->slots[i];
        if (slot->busy && slot->person && slot->stop == QK__SLOT_RUNS) {
            slot->stop = QK__SLOT_MEMORY;
            if (slot->connection)
                duckdb_interrupt(slot->connection);
        }
    }
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->mutex);
}

static qk__slot *find_free(qk__reader *reader, bool person)
{
    if (person && reader->persons >= QK__READER_PERSON_SLOTS)
        return NULL;
    qk__slot *best = NULL;
    for (size_t i = 0; i < QK__READER_SLOTS; i++) {
        qk__slot *slot = &reader->slots[i];
        if (!slot->busy && (!best || (slot->connection && !best->connection)))
            best = slot;
    }
    return best;
}

/* The slot's connection with its views. The slot is ours; no lock. */
static qk_status open_slot(qk__slot *slot, qk_error *err)
{
    duckdb_connection connection = NULL;
    if (duckdb_connect(slot->reader->database, &connection) != DuckDBSuccess)
        return qk__error(err, QK_ENOMEM, "out of memory");
    qk_status rc = QK_OK;
    if (!slot->function[0])
        rc = qk__live_table_register(slot->function, sizeof(slot->function), connection,
                                     &slot->live, err);
    if (!rc)
        rc = qk__database_run(connection, "SET late_materialization_max_rows = 1000", err);
    if (!rc)
        rc = qk__views_create(connection, slot->function, err);
    if (rc) {
        duckdb_disconnect(&connection);
        return rc;
    }
    pthread_mutex_lock(&slot->reader->mutex);
    slot->connection = connection;
    pthread_mutex_unlock(&slot->reader->mutex);
    return QK_OK;
}

static qk_status wait_for_slot(qk__slot **out, qk__reader *reader, bool person, int64_t deadline,
                               qk_error *err)
{
    qk__slot *slot;
    while (!reader->closing && !(slot = find_free(reader, person))) {
        if (deadline && deadline <= qk__reader_monotonic_us())
            return qk__error(err, QK_ETIMEDOUT,
                             "the time limit passed while other queries were running: try later");
        wait_until(reader, deadline);
    }
    if (reader->closing)
        return qk__error(err, QK_ECLOSED, "the store is being closed");
    qk_status rc = deadline ? start_watchdog(reader, err) : QK_OK;
    if (rc)
        return rc;
    slot->busy = true;
    slot->person = person;
    slot->deadline_us = deadline;
    slot->stop = QK__SLOT_RUNS;
    reader->persons += person;
    *out = slot;
    return QK_OK;
}

qk_status qk__slot_take(qk__slot **out, qk__reader *reader, bool person, int64_t timeout_us,
                        qk_error *err)
{
    int64_t now = qk__reader_monotonic_us(), deadline = 0;
    if (timeout_us > 0 && timeout_us < INT64_MAX - now)
        deadline = now + timeout_us;
    pthread_mutex_lock(&reader->mutex);
    reader->waiting++;
    qk_status rc = wait_for_slot(out, reader, person, deadline, err);
    reader->waiting--;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->mutex);
    if (rc || (*out)->connection)
        return rc;
    rc = open_slot(*out, err);
    if (rc)
        qk__slot_release(*out);
    return rc;
}

void qk__slot_release(qk__slot *slot)
{
    qk__reader *reader = slot->reader;
    if (slot->in_transaction)
        qk__database_run(slot->connection, "ROLLBACK", NULL);
    slot->in_transaction = false;
    slot->live = NULL;
    qk__row_set_dispose(&slot->snapshot);
    pthread_mutex_lock(&reader->mutex);
    reader->persons -= slot->person;
    slot->busy = slot->person = false;
    slot->deadline_us = 0;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->mutex);
}

static bool in_use(const qk__reader *reader)
{
    bool busy = reader->waiting > 0;
    for (size_t i = 0; i < QK__READER_SLOTS; i++)
        busy = busy || reader->slots[i].busy;
    return busy;
}

bool qk__reader_idle(qk__reader *reader)
{
    pthread_mutex_lock(&reader->mutex);
    bool idle = !in_use(reader);
    pthread_mutex_unlock(&reader->mutex);
    return idle;
}

void qk__reader_close(qk__reader *reader)
{
    if (!reader)
        return;
    pthread_mutex_lock(&reader->mutex);
    reader->closing = true;
    pthread_cond_broadcast(&reader->changed);
    while (in_use(reader))
        wait_until(reader, interrupt_late(reader));
    pthread_mutex_unlock(&reader->mutex);
    if (reader->watched)
        pthread_join(reader->watchdog, NULL);
    qk__rows_registry_close(reader->rows);
    for (size_t i = 0; i < QK__READER_SLOTS; i++)
        duckdb_disconnect(&reader->slots[i].connection);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->mutex);
    free(reader);
}

qk_status qk__reader_open(qk__reader **out, duckdb_database database, const qk__reader_host *host,
                          const qk_clock *clock, const qk__log *log, qk_error *err)
{
    pthread_condattr_t monotonic;
    *out = NULL;
    qk__reader *reader = calloc(1, sizeof(*reader));
    if (!reader || !(reader->rows = qk__rows_registry_new())) {
        free(reader);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    reader->database = database;
    reader->host = *host;
    reader->clock = *clock;
    reader->log = log ? *log : (qk__log){ 0 };
    for (size_t i = 0; i < QK__READER_SLOTS; i++)
        reader->slots[i].reader = reader;
    pthread_mutex_init(&reader->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&reader->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = reader;
    return QK_OK;
}
