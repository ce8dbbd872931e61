/*
 * Requests as they should not be: mutated, oversized, slow, abandoned. The server answers or cuts
 * them, keeps its memory bounded, and serves whoever comes next.
 *
 * QUEUACK_FUZZ sets the number of mutated requests, QUEUACK_SEED where they begin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <queuack/queuack.h>

#include "http/http.h"
#include "queue/queue_internal.h"
#include "util/unix_socket.h"

#define MAX_BODY ((size_t)1 << 20)

typedef struct scene {
    char folder[256], socket[300];
    qk_queue *queue;
    qk__http *http;
} scene;

static int set_up(void **state)
{
    qk_error err = QK_ERROR_INIT;
    int listener = -1;
    const char *tmp = getenv("TMPDIR");
    scene *s = test_calloc(1, sizeof(*s));
    snprintf(s->folder, sizeof(s->folder), "%s/http-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->socket, sizeof(s->socket), "%s/sock", s->folder);
    assert_int_equal(qk_queue_open(&s->queue, ":memory:", NULL, &err), QK_OK);
    assert_int_equal(qk__unix_listen(&listener, s->socket, NULL, &err), QK_OK);
    const qk__http_options options = { .listener = listener,
                                       .store = qk__queue_store(s->queue),
                                       .default_queue = "default",
                                       .max_payload = 1000,
                                       .max_connections = 32,
                                       .max_body = MAX_BODY,
                                       .body_budget = 2 * MAX_BODY,
                                       .idle_seconds = 1 };
    assert_int_equal(qk__http_start(&s->http, &options, &err), QK_OK);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    scene *s = *state;
    qk_store *store = qk__queue_store(s->queue);
    qk__http_refuse(s->http);
    store->ops->stop(store);
    qk__http_stop(s->http);
    qk_queue_close(s->queue);
    unlink(s->socket);
    rmdir(s->folder);
    test_free(s);
    return 0;
}

static int connect_to(const scene *s)
{
    qk_error err = QK_ERROR_INIT;
    int fd = -1;
    if (qk__unix_connect(&fd, s->socket, 5000000, &err) != QK_OK)
        fail_msg("%s", err.message);
    return fd;
}

/* Sends what the other side takes; it may cut the connection meanwhile. */
static void push(int fd, const char *data, size_t size)
{
    while (size > 0) {
        struct pollfd look = { .fd = fd, .events = POLLOUT };
        if (poll(&look, 1, 5000) <= 0)
            return;
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        size -= (size_t)sent;
    }
}

/* The beginning of the answer; "" if the connection was cut. Waits up to `ms`. */
static void pull(int fd, char *out, size_t room, int ms)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };
    out[0] = '\0';
    if (poll(&look, 1, ms) <= 0)
        return;
    ssize_t got = recv(fd, out, room - 1, 0);
    out[got > 0 ? got : 0] = '\0';
}

static void exchange(const scene *s, const char *data, size_t size, char *out, size_t room)
{
    int fd = connect_to(s);
    push(fd, data, size);
    (void)shutdown(fd, SHUT_WR);
    pull(fd, out, room, 20000);
    close(fd);
}

static void expect_health(const scene *s)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char answer[2048];
    exchange(s, request, sizeof(request) - 1, answer, sizeof(answer));
    if (!strstr(answer, " 200 ") || strncmp(answer, "HTTP/1.1", 8) != 0)
        fail_msg("no health: %.200s", answer);
}

#define BODY(method, path, body)                                                                   \
    {                                                                                              \
        method " " path " HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", body              \
    }

static const struct {
    const char *format, *body;
} seeds[] = {
    BODY("POST", "/api/v1/jobs",
         "[{\"kind\":\"k\",\"payload\":{\"a\":[1,2.5,null,\"\\u00e9\"]},\"priority\":3,"
         "\"needs\":[\"01900000-0000-7000-8000-000000000000\"],\"tags\":[\"x\"],"
         "\"backoff\":{\"base_seconds\":1,\"factor\":2,\"cap_seconds\":null}}]"),
    BODY("POST", "/api/v1/jobs",
         "{\"command\":[\"true\"],\"unique\":\"u\",\"delay_seconds\":1.5,\"name\":\"n\"}"),
    BODY("POST", "/api/v1/claims",
         "{\"queues\":[\"default\",\"b\"],\"kinds\":[\"k\"],\"worker_id\":\"w\",\"count\":3,"
         "\"peer\":77,\"token\":5,\"again\":true,\"lease_seconds\":3,\"exact\":true}"),
    BODY("POST", "/api/v1/claims/outcomes",
         "{\"outcomes\":[{\"job_id\":\"01900000-0000-7000-8000-000000000000\",\"attempt\":1,"
         "\"worker_id\":\"w\",\"verdict\":\"ack\",\"result\":{\"x\":1},\"log_tail\":\"t\"}]}"),
    BODY("POST", "/api/v1/claims/heartbeats",
         "{\"extend_seconds\":2,\"leases\":[{\"job_id\":\"01900000-0000-7000-8000-000000000000\","
         "\"attempt\":1,\"worker_id\":\"w\"}]}"),
    BODY("POST", "/api/v1/claims/01900000-0000-7000-8000-000000000000/1/fail",
         "{\"worker_id\":\"w\",\"error\":\"e\",\"permanent\":true,\"exit_code\":3}"),
    BODY("POST", "/api/v1/claims/01900000-0000-7000-8000-000000000000/1/progress",
         "{\"worker_id\":\"w\",\"progress\":0.5,\"message\":\"m\"}"),
    BODY("POST", "/api/v1/claims/backlog", "{\"queues\":[\"default\"],\"worker_id\":\"w\"}"),
    BODY("POST", "/api/v1/claims/release", "{\"peer\":77}"),
    BODY("POST", "/api/v1/workers",
         "{\"id\":\"w\",\"host\":\"h\",\"queues\":[\"default\"],\"pid\":3,\"slots\":2}"),
    BODY("POST", "/api/v1/queues/a%2Fb/pause", ""),
    BODY("POST", "/api/v1/queues/default/limit", "{\"concurrency\":4}"),
    BODY("GET", "/api/v1/jobs?status=done,failed&limit=5&id_suffix=abcdef&older_than=1&exact=1",
         ""),
    BODY("DELETE", "/api/v1/jobs?status=done&queue=default", ""),
    BODY("GET", "/api/v1/jobs/01900000-0000-7000-8000-000000000000?wait=0", ""),
    BODY(
        "POST", "/api/v1/runs",
        "{\"id\":\"01900000-0000-7000-8000-000000000001\",\"fresh\":true,\"name\":\"r\",\"params\":{},"
        "\"definition_text\":\"{}\",\"scheduled_for\":\"2026-11-01T02:00:00Z\",\"jobs\":[{\"kind\":"
        "\"k\",\"node_name\":\"a\"},{\"kind\":\"dag\",\"node_name\":\"b\",\"factory\":\"f\","
        "\"when\":\"a.n > 1\"}]}"),
    BODY(
        "POST", "/api/v1/claims/01900000-0000-7000-8000-000000000000/1/expand",
        "{\"worker_id\":\"w\",\"run\":{\"name\":\"r\",\"jobs\":[{\"kind\":\"k\",\"node_name\":\"x\"}]}}"),
    BODY("POST", "/api/v1/claims/01900000-0000-7000-8000-000000000000/1/nodes",
         "{\"worker_id\":\"w\",\"jobs\":[{\"kind\":\"k\",\"node_name\":\"x\"}]}"),
    BODY("GET", "/api/v1/runs?status=done,failed&roots_only=1&limit=5&id_suffix=abcdef&exact=1",
         ""),
    BODY("GET",
         "/api/v1/runs/01900000-0000-7000-8000-000000000001/progress?seen=pending,1,0&wait=0", ""),
    BODY("GET", "/api/v1/runs/01900000-0000-7000-8000-000000000001/tree", ""),
    BODY("GET", "/api/v1/runs/01900000-0000-7000-8000-000000000001/nodes/a", ""),
    BODY("POST", "/api/v1/runs/01900000-0000-7000-8000-000000000001/cancel", ""),
    BODY("POST", "/api/v1/runs/01900000-0000-7000-8000-000000000001/pause", ""),
    BODY("POST", "/api/v1/runs/01900000-0000-7000-8000-000000000001/retry", "{\"from\":\"a\"}"),
    BODY("GET", "/api/v1/stats", ""),
    BODY("GET", "/api/v1/histograms", ""),
    BODY("GET", "/api/v1/changes?seen=0&wait=0", ""),
};

static uint64_t state_of_random;

static uint32_t random_below(uint32_t most)
{
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_random >> 33) % most;
}

/* Changes, removes, doubles or replaces a few bytes. */
static size_t mutate(char *text, size_t length, size_t room)
{
    static const char *const pieces[] = {
        "\r\n",    "\"",   "{", "[", "}", "%00", "%", "null", "-1", "1e999", "99999999999999999999",
        "\\u0000", "\xff", ","
    };
    for (uint32_t turn = random_below(6); turn > 0 && length > 8; turn--) {
        size_t at = random_below((uint32_t)length);
        const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
        size_t size = strlen(piece);
        switch (random_below(4)) {
        case 0:
            text[at] = (char)random_below(256);
            break;
        case 1:
            memmove(text + at, text + at + 1, length - at - 1);
            length--;
            break;
        case 2:
            if (length + size < room) {
                memmove(text + at + size, text + at, length - at);
                memcpy(text + at, piece, size);
                length += size;
            }
            break;
        default:
            length = at + 1; /* abandoned */
            break;
        }
    }
    return length;
}

static void test_mutated__are_answered_or_cut(void **state)
{
    const scene *s = *state;
    const char *count = getenv("QUEUACK_FUZZ"), *seed = getenv("QUEUACK_SEED");
    long total = count ? strtol(count, NULL, 10) : 2000, answered = 0;
    char text[4096], answer[512];
    state_of_random = seed ? strtoull(seed, NULL, 10) : 1;
    for (long i = 0; i < total; i++) {
        size_t which = random_below(sizeof(seeds) / sizeof(seeds[0]));
        size_t length = (size_t)snprintf(text, sizeof(text), seeds[which].format,
                                         strlen(seeds[which].body), seeds[which].body);
        length = mutate(text, length, sizeof(text));
        exchange(s, text, length, answer, sizeof(answer));
        if (answer[0] && strncmp(answer, "HTTP/1.", 7) != 0)
            fail_msg("request %ld: not HTTP: %.60s", i, answer);
        answered += answer[0] != '\0';
        if (i % 1000 == 999)
            expect_health(s);
    }
    assert_true(answered > total / 3);
    expect_health(s);
}

static void test_oversized__body_is_refused(void **state)
{
    const scene *s = *state;
    char head[200], answer[512];
    size_t size = MAX_BODY + 100000;
    char *body = test_calloc(1, size);
    memset(body, ' ', size);
    int fd = connect_to(s);
    int length =
        snprintf(head, sizeof(head),
                 "POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
    push(fd, head, (size_t)length);
    push(fd, body, size);
    pull(fd, answer, sizeof(answer), 20000);
    close(fd);
    test_free(body);
    assert_non_null(strstr(answer, " 413 "));
    assert_non_null(strstr(answer, "\"too_large\""));
    expect_health(s);
}

static void test_oversized__header_is_refused(void **state)
{
    const scene *s = *state;
    char answer[512];
    size_t size = 100000;
    char *text = test_calloc(1, size);
    memset(text, 'a', size);
    memcpy(text, "GET /healthz HTTP/1.1\r\nX: ", 26);
    exchange(s, text, size, answer, sizeof(answer));
    test_free(text);
    if (answer[0] && !strstr(answer, " 431 ") && !strstr(answer, " 413 "))
        fail_msg("%.60s", answer);
    expect_health(s);
}

/* Connections that say nothing are cut, so that more of them than are allowed keep nobody away. */
static void test_silent__connections_are_cut(void **state)
{
    const scene *s = *state;
    int fds[40];
    char answer[16];
    for (size_t i = 0; i < 40; i++) {
        fds[i] = connect_to(s);
        push(fds[i], "POST /api/v1/jobs HT", 20);
    }
    for (size_t i = 0; i < 40; i++) {
        struct pollfd look = { .fd = fds[i], .events = POLLIN };
        assert_true(poll(&look, 1, 20000) > 0);
        pull(fds[i], answer, sizeof(answer), 0);
        close(fds[i]);
    }
    expect_health(s);
}

/* A claim whose caller has gone is given back. */
static void test_abandoned__claim_is_given_back(void **state)
{
    static const char claim[] =
        "POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: 52\r\n\r\n"
        "{\"queues\":[\"left\"],\"worker_id\":\"gone\",\"wait\":30.000}";
    const scene *s = *state;
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.queue = "left";
    int fd = connect_to(s);
    push(fd, claim, sizeof(claim) - 1);
    close(fd);
    assert_int_equal(qk_enqueue(NULL, s->queue, "k", NULL, &options, &err), QK_OK);
    const char *queues[] = { "left" };
    qk_claim_options mine = QK_CLAIM_OPTIONS_INIT;
    mine.queues = queues;
    mine.queue_count = 1;
    mine.wait = qk_seconds(20);
    assert_int_equal(qk_claim(&claims, s->queue, &mine, &err), QK_OK);
    assert_int_equal(claims->items[0].attempts, 1);
    qk_claims_free(claims);
}

static void test_protocol__another_is_refused(void **state)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: x\r\nQueuack-Protocol: 99\r\nConnection: close\r\n\r\n";
    char answer[2048];
    exchange(*state, request, sizeof(request) - 1, answer, sizeof(answer));
    assert_non_null(strstr(answer, "\"store_version\""));
}

/* As followers write them. */
static void test_query__is_decoded(void **state)
{
    static const char request[] =
        "GET /api/v1/jobs?status=done%2Cfailed&queue=%2Fa%20b HTTP/1.1\r\nHost: x\r\n"
        "Connection: close\r\n\r\n";
    char answer[2048];
    exchange(*state, request, sizeof(request) - 1, answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_mutated__are_answered_or_cut),
        TEST(test_oversized__body_is_refused),
        TEST(test_oversized__header_is_refused),
        TEST(test_silent__connections_are_cut),
        TEST(test_abandoned__claim_is_given_back),
        TEST(test_protocol__another_is_refused),
        TEST(test_query__is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
