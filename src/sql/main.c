/*
 * queuack-sql: the process that runs SQL tasks for a worker. Not for people: it speaks the protocol
 * of protocol.h on descriptor 0.
 *
 * The main thread takes tasks in, watches their sockets for a cancel, interrupts, and reports
 * progress. It never waits for DuckDB, so that the end of the worker ends it at once.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sql/child.h"
#include "sql/guard.h"
#include "sql/protocol.h"
#include "store/embedded/spill.h"
#include "util/error.h"
#include "util/frame.h"

#define PROGRESS_MS 200
#define INTERRUPT_MS 20 /* an interrupt between two statements is lost, so it is repeated */
#define TASKS_MAX 4096

typedef struct child {
    settings settings;
    qk__spill spill;
    int wake;
    task *tasks;
    size_t count;
    bool cancelling;
} child;

static bool read_settings(settings *out, json_t *json)
{
    json_t *folders = json_object_get(json, "folders");
    size_t index;
    json_t *folder;

    out->json = json;
    out->database = json_string_value(json_object_get(json, "database"));
    out->protect = json_string_value(json_object_get(json, "protect"));
    out->temp = json_string_value(json_object_get(json, "temp"));
    out->folders = folders;
    out->memory = (uint64_t)json_integer_value(json_object_get(json, "memory"));
    out->threads = (int)json_integer_value(json_object_get(json, "threads"));
    out->request_max = (size_t)json_integer_value(json_object_get(json, "request_max"));
    out->result_max = (size_t)json_integer_value(json_object_get(json, "result_max"));
    json_array_foreach(folders, index, folder)
    {
        if (!json_is_string(folder))
            return false;
    }
    return out->database && out->protect && out->temp && json_is_array(folders) && out->memory > 0;
}

static qk_status receive_settings(child *child, qk_error *err)
{
    qk__frame frame;
    json_error_t error;
    qk_status rc = qk__frame_receive(&frame, STDIN_FILENO, QK__SQL_SETTINGS_MAX, err);

    if (rc != QK_OK)
        return rc;
    json_t *json = json_loadb(frame.payload, frame.length, 0, &error);
    bool good = frame.type == QK__SQL_SETTINGS && read_settings(&child->settings, json);
    free(frame.payload);
    return good ? QK_OK : qk__error(err, QK_EINVAL, "this program is run by queuack workers only");
}

static qk_status start(child *child, qk_error *err)
{
    const struct rlimit none = { 0, 0 };
    qk_status rc = receive_settings(child, err);

    if (rc != QK_OK)
        return rc;
    /* A picture of its memory would hold people's data. */
    setrlimit(RLIMIT_CORE, &none);
    qk__store_config config = { .path = ":memory:", .temp_dir = child->settings.temp };
    rc = qk__spill_open(&child->spill, &config, err);
    if (rc != QK_OK)
        return rc;
    child->settings.temp = child->spill.path;
    guard_protect(child->settings.protect);
    child->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return child->wake < 0 ? qk__error(err, QK_EIO, "cannot make an event descriptor") : QK_OK;
}

static void drop(task *task)
{
    close(task->fd);
    pthread_mutex_destroy(&task->lock);
    free(task);
}

static void take_task(child *child)
{
    int fd;

    if (qk__frame_receive_fd(&fd, STDIN_FILENO, NULL) != QK_OK)
        return;
    task *task = child->count < TASKS_MAX ? calloc(1, sizeof(*task)) : NULL;
    if (!task) {
        close(fd); /* before its start: the worker tries again */
        return;
    }
    task->settings = &child->settings;
    task->fd = fd;
    task->wake = child->wake;
    pthread_mutex_init(&task->lock, NULL);
    if (pthread_create(&task->thread, NULL, task_main, task) != 0) {
        drop(task);
        return;
    }
    task->next = child->tasks;
    child->tasks = task;
    child->count++;
}

static void interrupt(task *task)
{
    pthread_mutex_lock(&task->lock);
    if (task->session.connection)
        duckdb_interrupt(task->session.connection);
    pthread_mutex_unlock(&task->lock);
}

/* Something came on a task's socket: a cancel, or its end. */
static void listen_to(task *task)
{
    qk__frame frame;

    if (qk__frame_receive(&frame, task->fd, 0, NULL) == QK_OK)
        free(frame.payload);
    atomic_store(&task->cancelled, true);
}

static void report(task *task)
{
    char text[32];
    double part = 0;
    duckdb_query_progress_type progress = { .percentage = -1 };

    pthread_mutex_lock(&task->lock);
    if (task->session.connection)
        progress = duckdb_query_progress(task->session.connection);
    size_t statement = task->statement, statements = task->statements;
    pthread_mutex_unlock(&task->lock);
    if (progress.percentage >= 0 && progress.percentage <= 100)
        part = progress.percentage / 100;
    if (statements == 0 || (part <= 0 && statement == 0))
        return;
    snprintf(text, sizeof(text), "%.4f", ((double)statement + part) / (double)statements);
    task_send(task, QK__SQL_PROGRESS, text);
}

static void attend(child *child, const struct pollfd *fds, size_t count, bool look)
{
    size_t at = 2;
    task **link = &child->tasks;

    child->cancelling = false;
    while (*link && at < count) {
        task *task = *link;
        if (fds[at].revents && fds[at].fd >= 0)
            listen_to(task);
        at++;
        if (atomic_load(&task->finished)) {
            *link = task->next;
            pthread_join(task->thread, NULL);
            drop(task);
            child->count--;
            continue;
        }
        if (atomic_load(&task->cancelled)) {
            interrupt(task);
            child->cancelling = true;
        } else if (look) {
            report(task);
        }
        link = &task->next;
    }
}

static size_t fill(const child *child, struct pollfd *fds)
{
    size_t count = 2;

    fds[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = child->wake, .events = POLLIN };
    for (const task *task = child->tasks; task; task = task->next) {
        bool listen = atomic_load(&task->listening) && !atomic_load(&task->cancelled);
        fds[count++] = (struct pollfd){ .fd = listen ? task->fd : -1, .events = POLLIN };
    }
    return count;
}

static bool has_ended(void)
{
    char byte;

    return recv(STDIN_FILENO, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Until the worker has closed the control socket. */
static void serve(child *child)
{
    static struct pollfd fds[TASKS_MAX + 2];
    uint64_t count_wakes;

    for (;;) {
        size_t count = fill(child, fds);
        int pause = child->cancelling ? INTERRUPT_MS : child->tasks ? PROGRESS_MS : -1;
        int ready = poll(fds, count, pause);
        if (fds[0].revents && has_ended())
            return;
        while (read(child->wake, &count_wakes, sizeof(count_wakes)) > 0) {
        }
        attend(child, fds, count, ready == 0);
        if (fds[0].revents)
            take_task(child);
    }
}

int main(void)
{
    child child = { .spill = { .fd = -1 } };
    qk_error err = QK_ERROR_INIT;

    signal(SIGPIPE, SIG_IGN);
    if (start(&child, &err) != QK_OK) {
        fprintf(stderr, "queuack-sql: %s\n", err.message);
        return 2;
    }
    serve(&child);
    /* The worker is gone: whatever still runs is for nobody. */
    if (child.tasks)
        _exit(1);
    database_close();
    qk__spill_close(&child.spill);
    return 0;
}
