/*
 * One task: its statements, one after the other, on a session of its own. The task's thread.
 *
 * Each statement is its own transaction unless the task begins one; what it did not commit is undone
 * when the session ends. The answer is about the last statement.
 */
#include <string.h>
#include <unistd.h>

#include "sql/child.h"
#include "sql/protocol.h"
#include "util/error.h"
#include "util/frame.h"

void task_send(task *task, uint32_t type, const char *text)
{
    pthread_mutex_lock(&task->lock);
    /* If nobody listens any more the main thread learns it from the socket. */
    (void)qk__frame_send(task->fd, type, text, strlen(text), NULL);
    pthread_mutex_unlock(&task->lock);
}

static qk_status cancelled(qk_error *err)
{
    return qk__error(err, QK_EINTERRUPTED, "the statement was interrupted");
}

static qk_status execute(task *task, collected *out, duckdb_prepared_statement statement,
                         qk_error *err)
{
    duckdb_pending_result pending = NULL;
    duckdb_result result = { 0 };
    qk_status rc = QK_OK;

    if (atomic_load(&task->cancelled))
        return cancelled(err);
    if (duckdb_pending_prepared_streaming(statement, &pending) != DuckDBSuccess) {
        rc = database_error(err, QK_EINVAL, duckdb_pending_error(pending));
    } else {
        if (duckdb_execute_pending(pending, &result) != DuckDBSuccess)
            rc = database_error(err, QK_EIO, duckdb_result_error(&result));
        else
            rc = collect_result(out, &result, err);
        duckdb_destroy_result(&result);
    }
    duckdb_destroy_pending(&pending);
    return rc != QK_OK && atomic_load(&task->cancelled) ? cancelled(err) : rc;
}

static qk_status run_statement(task *task, collected *out, duckdb_extracted_statements all,
                               idx_t index, json_t *params, qk_error *err)
{
    duckdb_prepared_statement statement = NULL;
    qk_status rc;

    if (duckdb_prepare_extracted_statement(task->session.connection, all, index, &statement) !=
        DuckDBSuccess)
        rc = database_error(err, QK_EINVAL, duckdb_prepare_error(statement));
    else
        rc = bind_parameters(statement, params, err);
    if (rc == QK_OK)
        rc = execute(task, out, statement, err);
    duckdb_destroy_prepare(&statement);
    return rc;
}

static void note_statement(task *task, size_t index, size_t count)
{
    pthread_mutex_lock(&task->lock);
    task->statement = index;
    task->statements = count;
    pthread_mutex_unlock(&task->lock);
}

static qk_status run_statements(task *task, collected *out, const char *sql, json_t *params,
                                qk_error *err)
{
    duckdb_extracted_statements all = NULL;
    idx_t count = duckdb_extract_statements(task->session.connection, sql, &all);
    qk_status rc = QK_OK;

    if (count == 0) {
        const char *text = duckdb_extract_statements_error(all);
        rc = text ? database_error(err, QK_EINVAL, text)
                  : qk__error(err, QK_EINVAL, "the SQL holds no statement: write one");
    }
    for (idx_t i = 0; rc == QK_OK && i < count; i++) {
        note_statement(task, i, count);
        rc = run_statement(task, out, all, i, params, err);
        if (rc != QK_OK && count > 1 && err->code != QK_EINTERRUPTED) {
            char text[QK_ERROR_MESSAGE_SIZE];
            memcpy(text, err->message, sizeof(text));
            rc = qk__error(err, rc, "statement %llu of %llu: %s", (unsigned long long)i + 1,
                           (unsigned long long)count, text);
        }
    }
    duckdb_destroy_extracted(&all);
    return rc;
}

/* What a task began and did not commit would be undone with its session, unsaid. */
static qk_status end_transaction(const session *session, qk_error *err)
{
    duckdb_result result;
    bool open = duckdb_query(session->connection, "ROLLBACK", &result) == DuckDBSuccess;

    duckdb_destroy_result(&result);
    return open ? qk__error(err, QK_ESTATE,
                            "the SQL begins a transaction and does not end it: add COMMIT")
                : QK_OK;
}

/* The text and the parameters of a request; borrowed from it. */
static qk_status read_request(const char **sql, json_t **params, json_t *request, qk_error *err)
{
    json_t *text = json_is_object(request) ? json_object_get(request, "sql") : request;

    *params = json_object_get(request, "params");
    *sql = json_string_value(text);
    if (!*sql)
        return qk__error(err, QK_EINVAL, "payload of the SQL task: \"sql\" must be a string");
    if (strlen(*sql) != json_string_length(text))
        return qk__error(err, QK_EINVAL, "payload of the SQL task: the SQL has a NUL in it");
    if (json_is_null(*params))
        *params = NULL;
    if (*params && !json_is_array(*params) && !json_is_object(*params))
        return qk__error(err, QK_EINVAL,
                         "payload of the SQL task: \"params\" must be an array or an object");
    return QK_OK;
}

static void answer(task *task, qk_status rc, const collected *result, const qk_error *err)
{
    qk__buffer text;

    if (rc != QK_OK) {
        task_send(task, rc == QK_EBUSY ? QK__SQL_BUSY : QK__SQL_FAILED, err->message);
        return;
    }
    qk__buffer_init(&text, SIZE_MAX);
    qk__buffer_printf(&text, "{\"rows\":%llu,\"first\":[", (unsigned long long)result->rows);
    qk__buffer_append(&text, result->first.data ? result->first.data : "", result->first.length);
    qk__buffer_text(&text, "]}");
    if (text.failed)
        task_send(task, QK__SQL_FAILED, "out of memory for a result");
    else
        task_send(task, QK__SQL_RESULT, text.data);
    qk__buffer_dispose(&text);
}

static void run_request(task *task, json_t *request)
{
    qk_error err = QK_ERROR_INIT;
    const char *sql;
    json_t *params;
    session session = { 0 };
    collected result = { 0 };

    qk__buffer_init(&result.first, task->settings->result_max);
    qk_status rc = read_request(&sql, &params, request, &err);
    if (rc == QK_OK)
        rc = database_session(&session, task->settings, &err);
    if (rc == QK_OK) {
        pthread_mutex_lock(&task->lock);
        task->session = session;
        pthread_mutex_unlock(&task->lock);
        task_send(task, QK__SQL_STARTED, "");
        rc = run_statements(task, &result, sql, params, &err);
        if (rc == QK_OK)
            rc = end_transaction(&session, &err);
        pthread_mutex_lock(&task->lock);
        task->session.connection = NULL;
        pthread_mutex_unlock(&task->lock);
        database_session_close(&session);
    }
    answer(task, rc, &result, &err);
    qk__buffer_dispose(&result.first);
}

void *task_main(void *argument)
{
    task *task = argument;
    qk__frame frame;
    json_error_t error;
    const uint64_t one = 1;
    qk_status rc = qk__frame_receive(&frame, task->fd, task->settings->request_max, NULL);

    if (rc == QK_OK && frame.type == QK__SQL_REQUEST) {
        json_t *request =
            json_loadb(frame.payload, frame.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        atomic_store(&task->listening, true);
        (void)!write(task->wake, &one, sizeof(one));
        if (request)
            run_request(task, request);
        else
            task_send(task, QK__SQL_FAILED,
                      "payload of the SQL task: it is not JSON that can be "
                      "read: whole numbers must fit 64 bits");
        json_decref(request);
    }
    if (rc == QK_OK)
        free(frame.payload);
    atomic_store(&task->finished, true);
    (void)!write(task->wake, &one, sizeof(one));
    return NULL;
}
