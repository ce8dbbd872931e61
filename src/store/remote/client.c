/*
 * Requests with libcurl; see client.h.
 *
 * long file: an exchange's life in one place, from its connection to the last line of its answer.
 *
 * Each exchange has a multi handle of its own, so that it can be woken from outside, and its
 * connection stays with it. libcurl repeats a request by itself when a kept connection turns out to
 * be dead; that must not happen behind our back, because the first may have been carried out. So a
 * second connection within an exchange's life is refused: the caller learns that the answer is
 * missing. `lock` guards the lists and `stopping`.
 */
#include "store/remote/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "store/protocol.h"

#define KEEP_US INT64_C(20000000) /* idle connections; well below what the server allows */
#define KEEP_MOST 64
#define REPLY_MAX ((size_t)1 << 31)
#define HIGH_WATER ((size_t)1 << 20) /* of a reply that is read in lines */
#define BASE "http://127.0.0.1"

struct qk__exchange {
    qk__client *client;
    qk__exchange *next; /* in a list of the client */
    CURLM *multi;
    CURL *easy;
    int fd; /* of the connection, which is libcurl's */
    int target; /* the socket's file; -1: none */
    bool connected; /* has had its connection */
    bool fresh; /* the request is the first of the connection */
    bool attached, done, waits, lines, paused;
    bool cancelled; /* by qk__client_stop; under the client's lock */
    CURLcode result;
    qk_error trouble; /* of connecting */
    qk__buffer reply;
    size_t at; /* consumed of the reply, when read in lines */
    int64_t heard_us, used_us;
};

struct qk__client {
    char *socket;
    struct curl_slist *headers;
    int64_t patience_us;
    pthread_mutex_t lock;
    qk__exchange *idle, *busy;
    size_t idle_count;
    bool stopping;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    qk__exchange *exchange = user;
    (void)purpose;
    if (exchange->connected)
        return CURL_SOCKET_BAD;
    exchange->connected = true;
    exchange->fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return exchange->fd;
}

/* The socket by way of a descriptor, since its path may be longer than an address. */
static bool find_socket(qk__exchange *exchange)
{
    char path[32];
    if (exchange->target >= 0)
        close(exchange->target);
    exchange->target = open(exchange->client->socket, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (exchange->target < 0) {
        int problem = errno;
        qk__error_errno(&exchange->trouble, problem == ENOENT ? QK_ESTORE : QK_EIO, problem,
                        "cannot reach the store's owner at %s", exchange->client->socket);
        return false;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", exchange->target);
    return curl_easy_setopt(exchange->easy, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

static size_t take_reply(char *data, size_t size, size_t count, void *user)
{
    qk__exchange *exchange = user;
    exchange->heard_us = now_us();
    if (exchange->lines && exchange->reply.length - exchange->at > HIGH_WATER) {
        exchange->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    return qk__buffer_append(&exchange->reply, data, size * count) ? size * count : 0;
}

static void exchange_free(qk__exchange *exchange)
{
    if (exchange->attached)
        curl_multi_remove_handle(exchange->multi, exchange->easy);
    if (exchange->easy)
        curl_easy_cleanup(exchange->easy);
    if (exchange->multi)
        curl_multi_cleanup(exchange->multi);
    if (exchange->target >= 0)
        close(exchange->target);
    qk__buffer_dispose(&exchange->reply);
    free(exchange);
}

static bool set_up(qk__exchange *exchange)
{
    CURL *easy = exchange->easy;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->client->headers);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 3600L);
    return rc == CURLE_OK;
}

static qk__exchange *exchange_new(qk__client *client)
{
    qk__exchange *exchange = calloc(1, sizeof(*exchange));
    if (!exchange)
        return NULL;
    exchange->client = client;
    exchange->fd = exchange->target = -1;
    qk__buffer_init(&exchange->reply, REPLY_MAX);
    exchange->multi = curl_multi_init();
    exchange->easy = curl_easy_init();
    if (!exchange->multi || !exchange->easy || !set_up(exchange)) {
        exchange_free(exchange);
        return NULL;
    }
    return exchange;
}

/* The other side has closed it, or says something unasked, which is the same. */
static bool is_stale(const qk__exchange *exchange)
{
    struct pollfd look = { .fd = exchange->fd, .events = POLLIN | POLLRDHUP };
    return poll(&look, 1, 0) != 0;
}

/* A kept one that is in order, or NULL; those that are not go. */
static qk__exchange *take_idle(qk__client *client)
{
    qk__exchange *exchange = NULL, *old = NULL;
    int64_t now = now_us();
    pthread_mutex_lock(&client->lock);
    if (client->idle && now - client->idle->used_us < KEEP_US && !is_stale(client->idle)) {
        exchange = client->idle;
        client->idle = exchange->next;
        client->idle_count--;
    } else {
        old = client->idle;
        client->idle = NULL;
        client->idle_count = 0;
    }
    pthread_mutex_unlock(&client->lock);
    while (old) {
        qk__exchange *next = old->next;
        exchange_free(old);
        old = next;
    }
    return exchange;
}

static qk__exchange *acquire(qk__client *client, bool waits, qk_error *err)
{
    qk__exchange *exchange = take_idle(client);
    if (!exchange)
        exchange = exchange_new(client);
    if (!exchange) {
        qk__error(err, QK_ENOMEM, "out of memory for a connection");
        return NULL;
    }
    exchange->waits = waits;
    exchange->cancelled = exchange->done = exchange->paused = exchange->lines = false;
    exchange->at = 0;
    exchange->trouble = (qk_error)QK_ERROR_INIT;
    qk__buffer_clear(&exchange->reply);
    pthread_mutex_lock(&client->lock);
    exchange->next = client->busy;
    client->busy = exchange;
    exchange->cancelled = waits && client->stopping;
    pthread_mutex_unlock(&client->lock);
    return exchange;
}

/* `keep`: the connection is in order and between two requests. */
static void release(qk__exchange *exchange, bool keep)
{
    qk__client *client = exchange->client;
    if (exchange->attached) {
        curl_multi_remove_handle(exchange->multi, exchange->easy);
        exchange->attached = false;
    }
    exchange->used_us = now_us();
    if (exchange->reply.capacity > HIGH_WATER)
        qk__buffer_dispose(&exchange->reply); /* before another thread can take the exchange */
    pthread_mutex_lock(&client->lock);
    qk__exchange **link = &client->busy;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    keep = keep && client->idle_count < KEEP_MOST && !client->stopping;
    if (keep) {
        exchange->next = client->idle;
        client->idle = exchange;
        client->idle_count++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!keep)
        exchange_free(exchange);
}

static bool is_cancelled(qk__exchange *exchange)
{
    pthread_mutex_lock(&exchange->client->lock);
    bool cancelled = exchange->cancelled;
    pthread_mutex_unlock(&exchange->client->lock);
    return cancelled;
}

static qk_status closed(qk_error *err)
{
    return qk__error(err, QK_ECLOSED, "the store is being closed");
}

static qk_status lost(qk_error *err, const char *why)
{
    qk__error(err, QK_ESTORE, "the process that owns the store ended or cut the connection (%s)",
              why);
    if (err)
        err->system_errno = ECONNRESET;
    return QK_ESTORE;
}

/* Does the owner still answer at all? */
static bool lives(qk__client *client)
{
    const qk__call call = { .method = "GET", .path = "/healthz", .hasty = true };
    return qk__client_call(client, &call, NULL, NULL, NULL) == QK_OK;
}

static qk_status silent(qk__exchange *exchange, qk_error *err)
{
    qk__error(err, QK_ESTORE,
              "the process that owns the store has not answered for %lld s: it may be stopped; "
              "let it go on, or end it",
              (long long)(exchange->client->patience_us / 1000000));
    if (err)
        err->system_errno = ETIMEDOUT;
    return QK_ESTORE;
}

static qk_status failed(qk__exchange *exchange, qk_error *err)
{
    if (exchange->reply.failed)
        return qk__error(err, QK_ENOMEM, "out of memory for the answer");
    bool never = exchange->result == CURLE_COULDNT_CONNECT && exchange->fresh;
    lost(err, curl_easy_strerror(exchange->result));
    if (err && never)
        err->system_errno = ECONNREFUSED;
    return QK_ESTORE;
}

static void look_at_result(qk__exchange *exchange)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(exchange->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            exchange->done = true;
            exchange->result = message->data.result;
        }
    }
}

/* Moves the exchange on until `enough` says so, it is done, or something is wrong. */
static qk_status drive(qk__exchange *exchange, const qk__call *call,
                       bool (*enough)(const qk__exchange *), qk_error *err)
{
    qk__client *client = exchange->client;
    int running;
    exchange->heard_us = now_us();
    for (;;) {
        if (curl_multi_perform(exchange->multi, &running) != CURLM_OK)
            return qk__error(err, QK_ENOMEM, "out of memory for a request");
        look_at_result(exchange);
        if (exchange->done && exchange->result != CURLE_OK)
            return failed(exchange, err);
        if (exchange->done || (enough && enough(exchange)))
            return QK_OK;
        if (exchange->waits && is_cancelled(exchange))
            return closed(err);
        int64_t left = exchange->heard_us + client->patience_us + call->late_us - now_us();
        if (left <= 0) {
            if (call->hasty || !lives(client))
                return silent(exchange, err);
            exchange->heard_us = now_us();
            continue;
        }
        curl_multi_poll(exchange->multi, NULL, 0, left > 1000000 ? 1000 : (int)(left / 1000) + 1,
                        NULL);
    }
}

static qk_status begin(qk__exchange *exchange, const qk__call *call, qk_error *err)
{
    char url[2048];
    CURL *easy = exchange->easy;
    exchange->fresh = !exchange->connected;
    if (exchange->fresh && !find_socket(exchange)) {
        if (err)
            *err = exchange->trouble;
        if (err && err->system_errno == ENOENT)
            err->system_errno = ECONNREFUSED;
        return exchange->trouble.code ? exchange->trouble.code : QK_ENOMEM;
    }
    if ((size_t)snprintf(url, sizeof(url), BASE "%s", call->path) >= sizeof(url))
        return qk__error(err, QK_EINVAL, "the request is too long: use shorter names");
    bool post = strcmp(call->method, "POST") == 0;
    CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, url);
    rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (post && !rc) {
        bool empty = !call->body || call->body->length == 0;
        rc = curl_easy_setopt(easy, CURLOPT_POST, 1L);
        rc = rc ? rc
                : curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                   empty ? (curl_off_t)0 : (curl_off_t)call->body->length);
        rc = rc ? rc : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, empty ? "" : call->body->data);
    }
    rc = rc ? rc
            : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
                               post || strcmp(call->method, "GET") == 0 ? NULL : call->method);
    if (rc || curl_multi_add_handle(exchange->multi, easy) != CURLM_OK)
        return qk__error(err, QK_ENOMEM, "out of memory for a request");
    exchange->attached = true;
    return QK_OK;
}

qk_status qk__client_code(const char *name)
{
    static const struct {
        const char *name;
        qk_status status;
    } codes[] = {
#define ENTRY(status, value, json, http, exit_code, text) { json, QK_##status },
        QK_STATUS_MAP(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; name && i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].name, name) == 0)
            return codes[i].status;
    }
    return QK_EINTERNAL;
}

/* The other side's error. That it is closing means that nothing has happened. */
static qk_status their_error(const qk__buffer *reply, int http, qk_error *err)
{
    json_t *json = json_loadb(reply->data ? reply->data : "", reply->length, 0, NULL);
    const json_t *error = json_object_get(json, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    qk_status rc = qk__client_code(json_string_value(json_object_get(error, "code")));
    if (rc == QK_OK || rc == QK_EMPTY || !message) {
        rc = qk__error(err, QK_EINTERNAL,
                       "the process that owns the store answered %d, without "
                       "an explanation",
                       http);
    } else {
        qk__error(err, rc, "%s", message);
    }
    if (rc == QK_ECLOSED) {
        rc = QK_ESTORE;
        if (err) {
            err->code = rc;
            err->system_errno = ECONNREFUSED;
        }
    }
    json_decref(json);
    return rc;
}

static int http_status(const qk__exchange *exchange)
{
    long status = 0;
    curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static qk_status understand(qk__exchange *exchange, json_t **json, int *http, qk_error *err)
{
    int status = http_status(exchange);
    if (http)
        *http = status;
    if (status >= 400)
        return their_error(&exchange->reply, status, err);
    if (!json || exchange->reply.length == 0)
        return QK_OK;
    *json = json_loadb(exchange->reply.data, exchange->reply.length, JSON_DECODE_ANY, NULL);
    return *json ? QK_OK
                 : qk__error(err, QK_EINTERNAL, "the answer of the store's owner is not JSON");
}

qk_status qk__client_call(qk__client *client, const qk__call *call, json_t **json, int *http,
                          qk_error *err)
{
    if (json)
        *json = NULL;
    qk__exchange *exchange = acquire(client, call->waits, err);
    if (!exchange)
        return QK_ENOMEM;
    qk_status rc = begin(exchange, call, err);
    if (!rc)
        rc = drive(exchange, call, NULL, err);
    bool good = rc == QK_OK;
    if (good)
        rc = understand(exchange, json, http, err);
    release(exchange, good);
    return rc;
}

static bool has_line(const qk__exchange *exchange)
{
    size_t left = exchange->reply.length - exchange->at;
    return left > 0 && memchr(exchange->reply.data + exchange->at, '\n', left) != NULL;
}

static bool has_status(const qk__exchange *exchange)
{
    int status = http_status(exchange);
    return status >= 200 && status < 400 && has_line(exchange);
}

qk_status qk__exchange_open(qk__exchange **out, qk__client *client, const qk__call *call,
                            qk_error *err)
{
    *out = NULL;
    qk__exchange *exchange = acquire(client, call->waits, err);
    if (!exchange)
        return QK_ENOMEM;
    exchange->lines = true;
    qk_status rc = begin(exchange, call, err);
    if (!rc)
        rc = drive(exchange, call, has_status, err);
    if (!rc && http_status(exchange) >= 400)
        rc = their_error(&exchange->reply, http_status(exchange), err);
    if (rc) {
        release(exchange, false);
        return rc;
    }
    *out = exchange;
    return QK_OK;
}

qk_status qk__exchange_line(qk__exchange *exchange, const char **line, size_t *length,
                            qk_error *err)
{
    static const qk__call plain = { .method = "" };
    qk__buffer *reply = &exchange->reply;
    if (exchange->at > HIGH_WATER / 2) {
        memmove(reply->data, reply->data + exchange->at, reply->length - exchange->at);
        reply->length -= exchange->at;
        exchange->at = 0;
    }
    if (!has_line(exchange) && !exchange->done) {
        if (exchange->paused) {
            exchange->paused = false;
            curl_easy_pause(exchange->easy, CURLPAUSE_CONT);
        }
        qk_status rc = drive(exchange, &plain, has_line, err);
        if (rc)
            return rc;
    }
    size_t left = reply->length - exchange->at;
    *line = left > 0 ? reply->data + exchange->at : NULL;
    const char *end = left > 0 ? memchr(*line, '\n', left) : NULL;
    *length = end ? (size_t)(end - *line) : left;
    exchange->at += *length + (end ? 1 : 0);
    return QK_OK;
}

void qk__exchange_close(qk__exchange *exchange)
{
    release(exchange, exchange->done && exchange->result == CURLE_OK);
}

qk_status qk__client_new(qk__client **out, const char *socket, int64_t patience_us, qk_error *err)
{
    char protocol[64];
    *out = NULL;
    pthread_once(&once, start_curl);
    qk__client *client = calloc(1, sizeof(*client));
    if (client) {
        pthread_mutex_init(&client->lock, NULL);
        client->patience_us = patience_us;
        client->socket = strdup(socket);
        snprintf(protocol, sizeof(protocol), "%s: %d", QK__PROTOCOL_HEADER, QK__PROTOCOL);
        client->headers = curl_slist_append(NULL, protocol);
        if (client->headers && curl_slist_append(client->headers, "Expect:") &&
            curl_slist_append(client->headers, "Content-Type: application/json") &&
            client->socket) {
            *out = client;
            return QK_OK;
        }
    }
    qk__client_free(client);
    return qk__error(err, QK_ENOMEM, "out of memory");
}

void qk__client_stop(qk__client *client)
{
    pthread_mutex_lock(&client->lock);
    client->stopping = true;
    for (qk__exchange *exchange = client->busy; exchange; exchange = exchange->next) {
        if (exchange->waits) {
            exchange->cancelled = true;
            curl_multi_wakeup(exchange->multi);
        }
    }
    pthread_mutex_unlock(&client->lock);
}

void qk__client_free(qk__client *client)
{
    if (!client)
        return;
    while (client->idle) {
        qk__exchange *next = client->idle->next;
        exchange_free(client->idle);
        client->idle = next;
    }
    curl_slist_free_all(client->headers);
    pthread_mutex_destroy(&client->lock);
    free(client->socket);
    free(client);
}
