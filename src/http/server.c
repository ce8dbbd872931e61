/*
 * The daemon: connections, limits, bodies, replies. See http.h.
 *
 * long file: the callbacks of one daemon, which hang together.
 *
 * Threads: one of libmicrohttpd per connection runs everything of a request. Nothing is locked: what
 * requests share is atomic or constant.
 */
#include "http/http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "http/request.h"
#include "util/error.h"

#define MAX_CONNECTIONS 1024u
#define HEADER_MEMORY ((size_t)32 << 10)
#define IDLE_SECONDS 60u
#define DRAIN_SECONDS 5
#define STREAM_BLOCK ((size_t)64 << 10)
#define REPLY_MAX ((size_t)1 << 30)
#define PATH_MOST 2048

void qk__count_active(qk__http *http, int change)
{
    pthread_mutex_lock(&http->lock);
    http->active += (size_t)change;
    if (http->active == 0)
        pthread_cond_broadcast(&http->idle);
    pthread_mutex_unlock(&http->lock);
}

static qk__request *new_request(qk__http *http, struct MHD_Connection *connection)
{
    qk__request *request = calloc(1, sizeof(*request));
    if (!request)
        return NULL;
    qk__count_active(http, 1);
    request->http = http;
    request->connection = connection;
    qk__buffer_init(&request->body, http->max_body);
    qk__buffer_init(&request->reply, REPLY_MAX);
    return request;
}

static void free_request(qk__request *request)
{
    atomic_fetch_sub(&request->http->bodies, request->reserved);
    if (request->free_state)
        request->free_state(request->state);
    json_decref(request->json);
    qk__buffer_dispose(&request->body);
    qk__buffer_dispose(&request->reply);
    free(request->path);
    free(request);
}

/* Cuts the path at its slashes and decodes each part. False: too long or too many. */
static bool split_path(qk__request *request, const char *url)
{
    if (strnlen(url, PATH_MOST) >= PATH_MOST)
        return false;
    request->path = strdup(url);
    if (!request->path)
        return false;
    char *rest = NULL;
    for (char *part = strtok_r(request->path, "/", &rest); part;
         part = strtok_r(NULL, "/", &rest)) {
        if (request->segment_count == QK__SEGMENTS_MAX)
            return false;
        request->segments[request->segment_count++] = part;
    }
    for (size_t i = 0; i < request->segment_count; i++)
        MHD_http_unescape((char *)(uintptr_t)request->segments[i]);
    return true;
}

/* The path arrives already decoded otherwise; names of queues may hold slashes. Arguments of the
 * query, for which this is called as well, are decoded; one that begins with a slash has to have
 * that escaped. */
static size_t unescape(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return *text == '/' ? strlen(text) : MHD_http_unescape(text);
}

static bool check_protocol(qk__request *request)
{
    const char *spoken =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, QK__PROTOCOL_HEADER);
    qk_error err = QK_ERROR_INIT;
    if (!spoken || strtol(spoken, NULL, 10) == QK__PROTOCOL)
        return true;
    qk__error(&err, QK_EVERSION,
              "this process (Queuack %s) speaks protocol %d, the caller another: run the same "
              "version everywhere",
              QK_VERSION_STRING, QK__PROTOCOL);
    qk__reply_error(request, QK_EVERSION, &err);
    return false;
}

/* Finds the route, or replies with what is wrong. */
static bool route(qk__request *request, const char *url, const char *method)
{
    qk_error err = QK_ERROR_INIT;
    bool other_method = false;
    bool split = split_path(request, url);
    if (split)
        request->route =
            qk__route_find(method, request->segments, request->segment_count, &other_method);
    if (!request->route) {
        qk__error(&err, other_method ? QK_EUNSUPPORTED : QK_ENOTFOUND,
                  other_method ? "this path does not take that method" : "there is no such path");
        qk__reply_error(request, err.code, &err);
        if (other_method)
            request->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        return false;
    }
    if (!check_protocol(request))
        return false;
    if (atomic_load(&request->http->stopping) && !request->route->while_stopping) {
        qk__error(&err, QK_ECLOSED, "this process is closing the store: try again");
        qk__reply_error(request, QK_ECLOSED, &err);
        return false;
    }
    return true;
}

/* Reserves room for more of the body, or replies. */
static bool make_room(qk__request *request, size_t more)
{
    qk__http *http = request->http;
    qk_error err = QK_ERROR_INIT;
    if (request->body.length + more > http->max_body) {
        qk__error(&err, QK_ETOOLARGE, "the request is larger than %zu bytes: send less at once",
                  http->max_body);
        qk__reply_error(request, QK_ETOOLARGE, &err);
        return false;
    }
    size_t before = atomic_fetch_add(&http->bodies, more);
    request->reserved += more;
    if (before + more > http->body_budget) {
        qk__error(&err, QK_EBACKPRESSURE, "too many large requests at once: try again later");
        qk__reply_error(request, QK_EBACKPRESSURE, &err);
        return false;
    }
    return true;
}

static void take_body(qk__request *request, const char *data, size_t size)
{
    if (request->replied || !make_room(request, size))
        return;
    if (!qk__buffer_append(&request->body, data, size)) {
        qk_error err = QK_ERROR_INIT;
        qk__error(&err, QK_ENOMEM, "out of memory");
        qk__reply_error(request, QK_ENOMEM, &err);
    }
}

static bool parse_body(qk__request *request)
{
    json_error_t problem;
    if (request->body.length == 0)
        return true;
    request->json =
        json_loadb(request->body.data, request->body.length, JSON_REJECT_DUPLICATES, &problem);
    qk__buffer_dispose(&request->body);
    if (request->json)
        return true;
    qk__reply_invalid(request, "the body is not JSON: %s", problem.text);
    return false;
}

static ssize_t produce(void *user, uint64_t position, char *out, size_t room)
{
    qk__request *request = user;
    (void)position;
    if (request->reply.length == 0) {
        if (!request->produce(request->state, &request->reply))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (request->reply.failed || request->reply.length == 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t some = request->reply.length < room ? request->reply.length : room;
    memcpy(out, request->reply.data, some);
    memmove(request->reply.data, request->reply.data + some, request->reply.length - some);
    request->reply.length -= some;
    return (ssize_t)some;
}

static struct MHD_Response *make_response(qk__request *request)
{
    if (request->produce)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, produce, request,
                                                 NULL);
    /* The request outlives its response: both end in `completed`. */
    return MHD_create_response_from_buffer(request->reply.length, request->reply.data,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(qk__request *request)
{
    char protocol[12];
    if (!request->replied || (!request->produce && request->reply.failed)) {
        qk_error err = QK_ERROR_INIT;
        request->replied = false;
        request->reply.failed = false;
        qk__error(&err, QK_ENOMEM, "out of memory for the answer");
        qk__reply_error(request, QK_ENOMEM, &err);
    }
    struct MHD_Response *response = make_response(request);
    if (!response)
        return MHD_NO;
    snprintf(protocol, sizeof(protocol), "%d", QK__PROTOCOL);
    MHD_add_response_header(response, QK__PROTOCOL_HEADER, protocol);
    if (request->status != MHD_HTTP_NO_CONTENT)
        MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result rc =
        MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return rc;
}

/* A connection counts as a request under way until its first one is seen: who has connected has a
 * right to an answer, also from a server that stops. */
static void connection_changed(void *user, struct MHD_Connection *connection, void **context,
                               enum MHD_ConnectionNotificationCode what)
{
    qk__http *http = user;
    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        bool *counted = malloc(sizeof(*counted));
        if (counted) {
            *counted = true;
            qk__count_active(http, 1);
        }
        *context = counted;
    } else if (*context) {
        if (*(bool *)*context)
            qk__count_active(http, -1);
        free(*context);
        *context = NULL;
    }
}

static void first_request(qk__http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    bool *counted = info ? info->socket_context : NULL;
    if (counted && *counted) {
        *counted = false;
        qk__count_active(http, -1);
    }
}

/* Called for the headers, then for each part of the body, then without one for the reply. An early
 * refusal still reads the body (bounded by the connection's buffer, part by part), which is thrown
 * away: cutting it off would reset the connection under the refusal. */
static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **slot)
{
    qk__request *request = *slot;
    (void)version;
    if (!request) {
        request = new_request(user, connection);
        if (!request)
            return MHD_NO;
        *slot = request;
        first_request(user, connection);
        (void)route(request, url, method);
        return MHD_YES;
    }
    if (*size > 0) {
        take_body(request, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!request->replied && parse_body(request))
        request->route->handler(request);
    return send_reply(request);
}

static void completed(void *user, struct MHD_Connection *connection, void **slot,
                      enum MHD_RequestTerminationCode how)
{
    qk__request *request = *slot;
    (void)user;
    (void)connection;
    if (!request)
        return;
    if (request->settled)
        request->settled(request, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    qk__http *http = request->http;
    const qk__route *route = request->route;
    if (how == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->status < 500 && route &&
        !route->while_stopping && route->handler != qk__get_watch)
        atomic_fetch_add(&http->answered, 1);
    free_request(request);
    qk__count_active(http, -1);
    *slot = NULL;
}

static void free_http(qk__http *http)
{
    if (http->bye_fd >= 0)
        close(http->bye_fd);
    free(http->default_queue);
    pthread_cond_destroy(&http->idle);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static void init_lock(qk__http *http)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&http->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&http->idle, &attributes);
    pthread_condattr_destroy(&attributes);
}

static qk__http *new_http(const qk__http_options *options)
{
    qk__http *http = calloc(1, sizeof(*http));
    if (!http)
        return NULL;
    init_lock(http);
    size_t payloads = options->max_payload * 4;
    http->store = options->store;
    http->max_payload = options->max_payload;
    http->max_body = options->max_body         ? options->max_body
                     : payloads > QK__BODY_MIN ? payloads
                                               : QK__BODY_MIN;
    http->body_budget = options->body_budget ? options->body_budget : http->max_body * 4;
    http->idle_seconds = options->idle_seconds ? options->idle_seconds : IDLE_SECONDS;
    http->identity = options->identity;
    http->log = options->log;
    http->bye_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    http->default_queue = strdup(options->default_queue);
    if (http->bye_fd < 0 || !http->default_queue) {
        free_http(http);
        return NULL;
    }
    return http;
}

/* libmicrohttpd says what it does not like on stderr otherwise. */
static void log_line(void *user, const char *format, va_list args)
{
    const qk__http *http = user;
    char line[256];
    int length = vsnprintf(line, sizeof(line), format, args);
    while (length > 0 && (size_t)length < sizeof(line) && line[length - 1] == '\n')
        line[--length] = '\0';
    qk__log_write(&http->log, QK_LOG_DEBUG, "http: %s", line);
}

static struct MHD_Daemon *start_daemon(qk__http *http, int listener, unsigned connections)
{
    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            MHD_USE_ITC | MHD_USE_ERROR_LOG,
        0, NULL, NULL, answer, http, MHD_OPTION_EXTERNAL_LOGGER, log_line, http,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEADER_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        http->idle_seconds, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, http, MHD_OPTION_END);
}

qk_status qk__http_start(qk__http **out, const qk__http_options *options, qk_error *err)
{
    sigset_t all, before;
    *out = NULL;
    qk__http *http = new_http(options);
    if (!http) {
        close(options->listener);
        return qk__error(err, QK_ENOMEM, "out of memory");
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    http->listener = options->listener;
    http->daemon =
        start_daemon(http, options->listener,
                     options->max_connections ? options->max_connections : MAX_CONNECTIONS);
    int problem = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!http->daemon) {
        close(options->listener);
        free_http(http);
        return qk__error_errno(err, QK_EIO, problem, "cannot start to listen");
    }
    *out = http;
    return QK_OK;
}

void qk__http_refuse(qk__http *http)
{
    atomic_store(&http->stopping, true);
}

/* True: no request is under way, and with `watchers` nobody watches any more. */
static bool wait_idle(qk__http *http, int seconds, bool watchers)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    bool busy = true, late = false;
    pthread_mutex_lock(&http->lock);
    while ((busy = http->active > 0 || (watchers && atomic_load(&http->watchers) > 0)) && !late)
        late = pthread_cond_timedwait(&http->idle, &http->lock, &until) == ETIMEDOUT;
    pthread_mutex_unlock(&http->lock);
    return !busy;
}

/* Those who wait for an answer get it; those who have not even asked after a while do not. Watchers
 * come last: what they are told is whether everybody was answered. */
static void drain(qk__http *http)
{
    struct pollfd backlog = { .fd = http->listener, .events = POLLIN };
    for (int i = 0; i < 100 && poll(&backlog, 1, 0) > 0; i++)
        poll(NULL, 0, 1); /* connections that wait to be accepted */
    atomic_store(&http->drained, wait_idle(http, DRAIN_SECONDS, false));
    (void)eventfd_write(http->bye_fd, 1);
    (void)wait_idle(http, DRAIN_SECONDS, true);
}

void qk__http_stop(qk__http *http)
{
    if (!http)
        return;
    qk__http_refuse(http);
    drain(http);
    MHD_stop_daemon(http->daemon);
    free_http(http);
}

uint64_t qk__http_answered(const qk__http *http)
{
    return atomic_load(&http->answered);
}

unsigned qk__http_watchers(const qk__http *http)
{
    return atomic_load(&http->watchers);
}
