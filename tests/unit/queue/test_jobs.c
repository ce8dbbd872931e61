/*
 * Validation and completion of what callers hand in, on a real store in memory.
 */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "handle_support.h"
#include "queue/queue_internal.h"
#include "queue/spec.h"

static int setup(void **state)
{
    qk_queue_options options = QK_QUEUE_OPTIONS_INIT;
    options.max_payload = 1000;
    *state = open_or_fail(":memory:", &options);
    return 0;
}

static int teardown(void **state)
{
    qk_queue_close(*state);
    return 0;
}

static uint64_t jobs_in(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_stats *stats = NULL;
    uint64_t count = 0;
    assert_good(qk_stats_get(&stats, queue, &err));
    for (size_t i = 0; i < stats->count; i++) {
        for (int s = 0; s < QK_JOB_STATUS_COUNT; s++)
            count += stats->queues[i].counts[s];
    }
    qk_stats_free(stats);
    return count;
}

static qk_job *get(qk_queue *queue, qk_id id)
{
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    assert_good(qk_job_get(&job, queue, id, &err));
    return job;
}

static qk_claims *claim_one(qk_queue *queue)
{
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    assert_good(qk_claim(&claims, queue, NULL, &err));
    assert_int_equal(claims->count, 1);
    return claims;
}

static void test_enqueue__refuses_bad_kinds_and_payloads(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    char text[2000];

    assert_refused(qk_enqueue(NULL, NULL, "k", NULL, NULL, &err), QK_EINVAL,
                   "queue: must not be NULL");
    assert_refused(qk_enqueue(NULL, queue, NULL, NULL, NULL, &err), QK_EINVAL,
                   "kind: must not be empty");
    assert_refused(qk_enqueue(NULL, queue, "", NULL, NULL, &err), QK_EINVAL,
                   "kind: must not be empty");
    assert_refused(qk_enqueue(NULL, queue, "a\nb", NULL, NULL, &err), QK_EINVAL,
                   "kind: has a control character at byte 1");
    assert_refused(qk_enqueue(NULL, queue, "ab\xff", NULL, NULL, &err), QK_EINVAL,
                   "kind: not UTF-8 at byte 2");
    memset(text, 'k', sizeof(text));
    text[QK_NAME_MAX + 1] = '\0';
    assert_refused(qk_enqueue(NULL, queue, text, NULL, NULL, &err), QK_EINVAL,
                   "kind: longer than 255 bytes");
    assert_refused(qk_enqueue(NULL, queue, "k", "{\"a\":", NULL, &err), QK_EINVAL,
                   "payload: not JSON: unexpected end at byte 5");
    assert_refused(qk_enqueue(NULL, queue, "k", "", NULL, &err), QK_EINVAL,
                   "payload: not JSON: unexpected end at byte 0");
    memset(text, ' ', sizeof(text));
    text[1000] = '1';
    text[1001] = '\0';
    assert_refused(qk_enqueue(NULL, queue, "k", text, NULL, &err), QK_ETOOLARGE,
                   "payload: 1001 bytes, the limit is 1000: store large data elsewhere and pass "
                   "where it is, or raise max_payload");
    assert_int_equal(jobs_in(queue), 0);
    assert_good(qk_enqueue(NULL, queue, "k", text + 1, NULL, &err)); /* exactly the limit */
    text[QK_NAME_MAX] = '\0';
    memset(text, 'k', QK_NAME_MAX);
    assert_good(qk_enqueue(NULL, queue, text, NULL, NULL, &err)); /* and of a name */
}

static void test_enqueue__refuses_bad_commands(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    static const char *const bad[] = {
        NULL,
        "[]",
        "{}",
        "{\"argv\":[]}",
        "{\"argv\":\"ls\"}",
        "{\"argv\":[\"\"]}",
        "{\"argv\":[\"ls\",1]}",
        "{\"argv\":[\"ls\",\"a\\u0000b\"]}",
        "{\"argv\":[\"ls\"],\"\\u0000\":1}",
        "{\"argv\":[\"ls\"],\"slots\":1e999}",
        "{\"argv\":[\"ls\"],\"slots\":99999999999999999999}",
        "{\"argv\":[\"ls\"],\"cwd\":1}",
        "{\"argv\":[\"ls\"],\"cwd\":\"\"}",
        "{\"argv\":[\"ls\"],\"env\":[]}",
        "{\"argv\":[\"ls\"],\"env\":{\"A\":1}}",
        "{\"argv\":[\"ls\"],\"env\":{\"A=B\":\"1\"}}",
        "{\"argv\":[\"ls\"],\"slots\":0}",
        "{\"argv\":[\"ls\"],\"slots\":\"2\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(qk_enqueue(NULL, queue, "command", bad[i], NULL, &err), QK_EINVAL);
        assert_int_equal(strncmp(err.message, "payload of a command: ", 22), 0);
    }
    assert_int_equal(jobs_in(queue), 0);
    assert_good(qk_enqueue(
        NULL, queue, "command",
        "{\"argv\":[\"ls\",\"\"],\"cwd\":\"/\",\"env\":{\"A\":\"\"},\"slots\":2}", NULL, &err));
}

static void refuse_option(qk_queue *queue, const qk_job_options *options, const char *message)
{
    qk_error err = QK_ERROR_INIT;
    if (qk_enqueue(NULL, queue, "k", NULL, options, &err) != QK_EINVAL ||
        strcmp(err.message, message) != 0)
        fail_msg("expected \"%s\", got \"%s\"", message, err.message);
}

#define REFUSE(message, ...)                                                                       \
    do {                                                                                           \
        qk_job_options options = QK_JOB_OPTIONS_INIT;                                              \
        __VA_ARGS__;                                                                               \
        refuse_option(queue, &options, message);                                                   \
    } while (0)

static void test_enqueue__refuses_bad_options(void **state)
{
    qk_queue *queue = *state;
    static char long_name[QK_NAME_MAX + 2];
    static const char *const tags[QK_TAGS_MAX + 1];
    static const char *const odd_tags[] = { "good", "" };
    qk_id none = { { 0 } }, self = qk_id_new();
    memset(long_name, 'n', QK_NAME_MAX + 1);

    REFUSE("job options: version 0 is not known, start from QK_JOB_OPTIONS_INIT",
           options.version = 0);
    REFUSE("job options: version 2 is not known, start from QK_JOB_OPTIONS_INIT",
           options.version = 2);
    REFUSE("priority: -1 is not within 0 and 100", options.priority = -1);
    REFUSE("priority: 101 is not within 0 and 100", options.priority = 101);
    REFUSE("delay: must not be negative", options.delay = qk_us(-1));
    REFUSE("delay: longer than 100 years", options.delay = qk_forever());
    REFUSE("delay: not together with execute_after", options.delay = qk_us(1);
           options.execute_after.us = 1);
    REFUSE("execute_after: lies before 1970", options.execute_after.us = -1);
    REFUSE("execute_after: lies after the year 9999", options.execute_after.us = INT64_MAX);
    REFUSE("timeout: must not be negative", options.timeout = qk_seconds(-5));
    REFUSE("timeout: longer than 100 years", options.timeout = qk_us(QK_FOREVER_US - 1));
    REFUSE("max_attempts: must not be negative", options.max_attempts = -1);
    REFUSE("max_lost: must not be negative", options.max_lost = -1);
    REFUSE("backoff base: must not be negative", options.backoff.base = qk_us(-1));
    REFUSE("backoff cap: must not be negative", options.backoff.cap = qk_us(-1));
    REFUSE("backoff factor: must be a number from 1", options.backoff.factor = 0.5);
    REFUSE("backoff factor: must be a number from 1", options.backoff.factor = NAN);
    REFUSE("backoff factor: must be a number from 1", options.backoff.factor = INFINITY);
    REFUSE("mode: 5 is not a dependency mode", options.mode = (qk_dependency_mode)5);
    REFUSE("queue: longer than 255 bytes", options.queue = long_name);
    REFUSE("queue: must not be empty", options.queue = "");
    REFUSE("unique_key: longer than 255 bytes", options.unique_key = long_name);
    REFUSE("name: longer than 255 bytes", options.name = long_name);
    REFUSE("name: not UTF-8 at byte 0", options.name = "\xc3");
    REFUSE("tags: more than 64", options.tags = tags; options.tag_count = QK_TAGS_MAX + 1);
    REFUSE("tags: must not be NULL when tag_count is not 0", options.tag_count = 1);
    REFUSE("tag: must not be empty", options.tags = odd_tags; options.tag_count = 2);
    REFUSE("needs: must not be NULL when needs_count is not 0", options.needs_count = 1);
    REFUSE("needs: id 0 is empty", options.needs = &none; options.needs_count = 1);
    REFUSE("needs: a job cannot need itself", options.id = self; options.needs = &self;
           options.needs_count = 1);
    assert_int_equal(jobs_in(queue), 0);
}

static void test_enqueue__fills_in_the_defaults_of_the_kind(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    static const struct {
        const char *kind, *payload;
        int max_attempts;
        int64_t timeout_us;
    } kinds[] = {
        { "resize", NULL, 3, 300000000 },
        { "commands", NULL, 3, 300000000 },
        { "command", "{\"argv\":[\"true\"]}", 1, QK_FOREVER_US },
        { "sql", "\"SELECT 1\"", 1, QK_FOREVER_US },
        { "dag", "{}", 3, QK_FOREVER_US },
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        qk_id id;
        assert_good(qk_enqueue(&id, queue, kinds[i].kind, kinds[i].payload, NULL, &err));
        qk_job *job = get(queue, id);
        assert_string_equal(job->kind, kinds[i].kind);
        assert_string_equal(job->payload, kinds[i].payload ? kinds[i].payload : "null");
        assert_string_equal(job->queue, "default");
        assert_int_equal(job->status, QK_JOB_PENDING);
        assert_int_equal(job->priority, 50);
        assert_int_equal(job->max_attempts, kinds[i].max_attempts);
        assert_int_equal(job->timeout.us, kinds[i].timeout_us);
        assert_int_equal(job->mode, QK_MODE_ALL);
        assert_null(job->tags);
        assert_null(job->name);
        assert_null(job->unique_key);
        qk_job_free(job);
    }
}

static void test_enqueue__keeps_what_was_asked_for(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    const char *tags[] = { "a \"b\"", "\xc3\xa9" };
    qk_id id = qk_id_new(), out;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    options.id = id;
    options.queue = "other";
    options.priority = 0;
    options.delay = qk_seconds(3600);
    options.max_attempts = 7;
    options.timeout = qk_ms(1500);
    options.unique_key = "key";
    options.mode = QK_MODE_ONE_FAILED;
    options.tags = tags;
    options.tag_count = 2;
    options.name = "n";
    assert_good(qk_enqueue(&out, queue, "k", " [1, 2] ", &options, &err));
    assert_int_equal(qk_id_compare(id, out), 0);
    qk_job *job = get(queue, id);
    assert_string_equal(job->queue, "other");
    assert_string_equal(job->payload, " [1, 2] ");
    assert_int_equal(job->status, QK_JOB_DELAYED);
    assert_int_equal(job->priority, 0);
    assert_int_equal(job->max_attempts, 7);
    assert_int_equal(job->timeout.us, 1500000);
    assert_string_equal(job->unique_key, "key");
    assert_int_equal(job->mode, QK_MODE_ONE_FAILED);
    assert_string_equal(job->tags, "[\"a \\\"b\\\"\",\"\xc3\xa9\"]");
    assert_string_equal(job->name, "n");
    assert_int_equal(job->execute_after.us - job->created_at.us, 3600000000);
    qk_job_free(job);
}

static void test_batch__a_bad_spec_is_named_and_nothing_is_enqueued(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job_options urgent = QK_JOB_OPTIONS_INIT, odd = QK_JOB_OPTIONS_INIT;
    urgent.priority = 90;
    odd.priority = 900;
    qk_job_spec specs[] = {
        { "a", "1", NULL },
        { "a", "2", &urgent },
        { "b", "3", &urgent },
        { "b", "[", NULL },
    };
    qk_enqueued out[4];
    assert_refused(qk_enqueue_batch(out, queue, specs, 4, &err), QK_EINVAL,
                   "job 3: payload: not JSON: unexpected end at byte 1");
    specs[1].options = &odd;
    assert_refused(qk_enqueue_batch(out, queue, specs, 4, &err), QK_EINVAL,
                   "job 1: priority: 900 is not within 0 and 100");
    specs[0].kind = NULL;
    assert_refused(qk_enqueue_batch(out, queue, specs, 4, &err), QK_EINVAL,
                   "job 0: kind: must not be empty");
    assert_refused(qk_enqueue_batch(out, queue, NULL, 4, &err), QK_EINVAL,
                   "specs: must not be NULL");
    assert_int_equal(jobs_in(queue), 0);
    assert_good(qk_enqueue_batch(NULL, queue, NULL, 0, &err));
    assert_int_equal(jobs_in(queue), 0);

    /* An unknown parent is found by the store: the same form of message, and without the index
     * for a single job. */
    qk_id nobody = qk_id_new();
    qk_job_options orphan = QK_JOB_OPTIONS_INIT;
    orphan.needs = &nobody;
    orphan.needs_count = 1;
    specs[0] = (qk_job_spec){ "a", "1", NULL };
    specs[1] = (qk_job_spec){ "a", "1", &orphan };
    assert_int_equal(qk_enqueue_batch(out, queue, specs, 2, &err), QK_ENOTFOUND);
    assert_int_equal(strncmp(err.message, "job 1: ", 7), 0);
    assert_int_equal(qk_enqueue(NULL, queue, "a", NULL, &orphan, &err), QK_ENOTFOUND);
    assert_int_not_equal(strncmp(err.message, "job 0: ", 7), 0);
    assert_int_equal(jobs_in(queue), 0);
}

static void test_batch__shared_options_do_not_leak_into_others(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    const char *tags[] = { "t" };
    qk_job_options tagged = QK_JOB_OPTIONS_INIT;
    tagged.priority = 90;
    tagged.tags = tags;
    tagged.tag_count = 1;
    tagged.timeout = qk_seconds(9);
    const qk_job_spec specs[] = {
        { "k", "1", &tagged },
        { "k", "2", NULL },
        { "sql", "3", &tagged },
        { "k", "4", &tagged },
    };
    qk_enqueued out[4];
    assert_good(qk_enqueue_batch(out, queue, specs, 4, &err));
    for (int i = 0; i < 4; i++) {
        char payload[2] = { (char)('1' + i), '\0' };
        qk_job *job = get(queue, out[i].id);
        assert_false(out[i].duplicate);
        assert_string_equal(job->payload, payload);
        assert_int_equal(job->priority, i == 1 ? 50 : 90);
        assert_int_equal(job->max_attempts, i == 2 ? 1 : 3);
        assert_int_equal(job->timeout.us, i == 1 ? 300000000 : 9000000);
        assert_true(i == 1 ? job->tags == NULL : strcmp(job->tags, "[\"t\"]") == 0);
        qk_job_free(job);
        if (i > 0)
            assert_true(qk_id_compare(out[i - 1].id, out[i].id) < 0);
    }
}

static void test_enqueue__a_parent_named_twice_counts_once(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_id parents[2], needs[40], child;
    assert_good(qk_enqueue(&parents[0], queue, "p", NULL, NULL, &err));
    assert_good(qk_enqueue(&parents[1], queue, "p", NULL, NULL, &err));
    for (size_t count = 3; count <= 40; count += 37) {
        for (size_t i = 0; i < count; i++)
            needs[i] = parents[i % 2];
        qk_job_options options = QK_JOB_OPTIONS_INIT;
        options.needs = needs;
        options.needs_count = count;
        options.queue = "children";
        assert_good(qk_enqueue(&child, queue, "c", NULL, &options, &err));
    }
    qk_claim_options from_children = QK_CLAIM_OPTIONS_INIT;
    const char *children[] = { "children" };
    from_children.queues = children;
    from_children.queue_count = 1;
    from_children.max = 10;
    qk_claims *claims = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(qk_claim_batch(&claims, queue, &from_children, &err), QK_EMPTY);
        claims = claim_one(queue);
        assert_good(qk_ack(queue, &claims->items[0].lease, NULL, &err));
        qk_claims_free(claims);
    }
    assert_good(qk_claim_batch(&claims, queue, &from_children, &err));
    assert_int_equal(claims->count, 2);
    qk_claims_free(claims);
}

static void test_enqueue__ids_and_keys_are_recognised(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_id first, second;
    options.unique_key = "only one";
    assert_good(qk_enqueue(&first, queue, "k", NULL, &options, &err));
    assert_good(qk_enqueue(&second, queue, "k", NULL, &options, &err));
    assert_int_equal(qk_id_compare(first, second), 0);
    options.unique_key = NULL;
    options.id = first;
    const qk_job_spec spec = { "k", NULL, &options };
    qk_enqueued out;
    assert_good(qk_enqueue_batch(&out, queue, &spec, 1, &err));
    assert_true(out.duplicate);
    assert_int_equal(qk_id_compare(out.id, first), 0);
    assert_int_equal(qk_enqueue(NULL, queue, "another", NULL, &options, &err), QK_ECONFLICT);
    assert_int_equal(jobs_in(queue), 1);
}

static void test_claim__refuses_bad_options(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_claims *claims = NULL;
    const char *names[] = { "good", "" };
    qk_claim_options options;

    assert_int_equal(qk_claim(NULL, queue, NULL, &err), QK_EINVAL);
    memset(&options, 0, sizeof(options));
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "claim options: version 0 is not known, start from QK_CLAIM_OPTIONS_INIT");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.queues = names;
    options.queue_count = 2;
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "queues: must not be empty");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.kind_count = 1;
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "kinds: must not be NULL when its count is not 0");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.wait = qk_us(-1);
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "wait: must not be negative");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.lease = qk_us(-1);
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "lease: must not be negative");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.worker_id = "";
    assert_refused(qk_claim(&claims, queue, &options, &err), QK_EINVAL,
                   "worker_id: must not be empty");
    options = (qk_claim_options)QK_CLAIM_OPTIONS_INIT;
    options.max = 0;
    assert_refused(qk_claim_batch(&claims, queue, &options, &err), QK_EINVAL,
                   "max: must be at least 1");
    assert_null(claims);
    assert_int_equal(qk_claim(&claims, queue, NULL, &err), QK_EMPTY);
    assert_null(claims);
}

/* Also one whose size in bytes would not fit into a size_t. */
static void test_claim__any_maximum_is_good(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_claim_options options = QK_CLAIM_OPTIONS_INIT;
    const qk_job_spec specs[2] = { { "k", NULL, NULL }, { "k", NULL, NULL } };
    for (unsigned shift = 0; shift < 10; shift++) {
        qk_claims *claims = NULL;
        options.max = shift == 0 ? SIZE_MAX : (SIZE_MAX >> shift) + 1;
        assert_good(qk_enqueue_batch(NULL, queue, specs, 2, &err));
        assert_good(qk_claim_batch(&claims, queue, &options, &err));
        assert_int_equal(claims->count, 2);
        for (size_t i = 0; i < claims->count; i++)
            assert_good(qk_ack(queue, &claims->items[i].lease, NULL, &err));
        qk_claims_free(claims);
    }
}

static void test_ack__refuses_bad_leases_and_results(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    char text[1100];
    assert_good(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    qk_claims *claims = claim_one(queue);
    qk_lease lease = claims->items[0].lease, odd = lease;

    assert_refused(qk_ack(queue, NULL, NULL, &err), QK_EINVAL, "lease: has no job id");
    odd.attempt = 0;
    assert_refused(qk_ack(queue, &odd, NULL, &err), QK_EINVAL, "lease: attempt must be 1 or more");
    odd = lease;
    odd.worker_id = NULL;
    assert_refused(qk_ack(queue, &odd, NULL, &err), QK_EINVAL,
                   "lease: worker_id: must not be empty");
    assert_refused(qk_ack(queue, &lease, "{", &err), QK_EINVAL,
                   "result: not JSON: unexpected end at byte 1");
    memset(text, ' ', sizeof(text));
    text[1001] = '\0';
    assert_int_equal(qk_ack(queue, &lease, text, &err), QK_ETOOLARGE);
    odd = lease;
    odd.worker_id = "somebody else";
    assert_int_equal(qk_ack(queue, &odd, NULL, &err), QK_ELEASE);
    assert_true(strlen(err.message) > 0);
    odd = lease;
    odd.attempt++;
    assert_int_equal(qk_fail(queue, &odd, "x", false, &err), QK_ELEASE);
    assert_int_equal(qk_heartbeat(queue, &odd, qk_us(0), &err), QK_ELEASE);
    assert_int_equal(qk_nack(queue, &lease, qk_us(-1), true, &err), QK_EINVAL);
    assert_refused(qk_heartbeat(queue, &lease, qk_us(-1), &err), QK_EINVAL,
                   "extend: must not be negative");
    static const double fractions[] = { -0.1, 1.1, NAN, INFINITY };
    for (size_t i = 0; i < 4; i++)
        assert_refused(qk_progress(queue, &lease, fractions[i], NULL, &err), QK_EINVAL,
                       "progress: must be within 0 and 1");
    assert_good(qk_heartbeat(queue, &lease, qk_forever(), &err));
    assert_good(qk_progress(queue, &lease, 0.25, "a \xff message", &err));
    assert_good(qk_ack(queue, &lease, "{\"ok\":true}", &err));
    assert_good(qk_ack(queue, &lease, "{\"ok\":true}", &err)); /* repeated: the first answer */
    char *result = NULL;
    assert_good(qk_result(&result, queue, lease.job, &err));
    assert_string_equal(result, "{\"ok\":true}");
    free(result);
    qk_claims_free(claims);
}

static void test_fail__texts_are_made_fit(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job_options once = QK_JOB_OPTIONS_INIT;
    once.max_attempts = 1;
    static const char *const given[] = { NULL, "plain", "bad \xff\xc3 bytes" };
    static const char *const kept[] = { "failed", "plain", "bad \xef\xbf\xbd\xef\xbf\xbd bytes" };
    for (int i = 0; i < 3; i++) {
        assert_good(qk_enqueue(NULL, queue, "k", NULL, &once, &err));
        qk_claims *claims = claim_one(queue);
        qk_id id = claims->items[0].lease.job;
        assert_good(qk_fail(queue, &claims->items[0].lease, given[i], false, &err));
        qk_job *job = get(queue, id);
        assert_int_equal(job->status, QK_JOB_FAILED);
        assert_string_equal(job->error, kept[i]);
        qk_job_free(job);
        char *text = NULL;
        assert_refused(qk_result(&text, queue, id, &err), QK_ESTATE,
                       "the job is failed: only done jobs have a result");
        qk_claims_free(claims);
    }
    /* 64 KiB are kept, and not half a character. */
    char *long_text = malloc(100001);
    assert_non_null(long_text);
    for (int i = 0; i < 100000; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    long_text[100000] = '\0';
    assert_good(qk_enqueue(NULL, queue, "k", NULL, &once, &err));
    qk_claims *claims = claim_one(queue);
    assert_good(qk_fail(queue, &claims->items[0].lease, long_text, true, &err));
    qk_job *job = get(queue, claims->items[0].lease.job);
    assert_int_equal(strlen(job->error), 65536);
    qk_job_free(job);
    qk_claims_free(claims);
    free(long_text);
}

static void test_complete_batch__each_for_itself(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_claim_options five = QK_CLAIM_OPTIONS_INIT;
    qk_claims *claims = NULL;
    five.max = 5;
    for (int i = 0; i < 5; i++)
        assert_good(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    assert_good(qk_claim_batch(&claims, queue, &five, &err));
    assert_int_equal(claims->count, 5);
    qk_outcome outcomes[5];
    qk_status statuses[5];
    memset(outcomes, 0, sizeof(outcomes));
    for (int i = 0; i < 5; i++)
        outcomes[i].lease = claims->items[i].lease;
    outcomes[0].result = "not json";
    outcomes[1].result = "1";
    outcomes[2].lease.worker_id = "somebody else";
    outcomes[3].verdict = QK_VERDICT_FAIL;
    outcomes[3].permanent = true;
    outcomes[4].verdict = (qk_verdict)9;
    assert_good(qk_complete_batch(queue, statuses, outcomes, 5, &err));
    assert_int_equal(statuses[0], QK_EINVAL);
    assert_int_equal(statuses[1], QK_OK);
    assert_int_equal(statuses[2], QK_ELEASE);
    assert_int_equal(statuses[3], QK_OK);
    assert_int_equal(statuses[4], QK_EINVAL);
    static const qk_job_status expected[] = { QK_JOB_CLAIMED, QK_JOB_DONE, QK_JOB_CLAIMED,
                                              QK_JOB_FAILED, QK_JOB_CLAIMED };
    for (int i = 0; i < 5; i++) {
        qk_job *job = get(queue, claims->items[i].lease.job);
        assert_int_equal(job->status, expected[i]);
        qk_job_free(job);
    }
    /* None could be taken: the call says why. */
    assert_refused(qk_complete_batch(queue, statuses, outcomes, 1, &err), QK_EINVAL,
                   "outcome 0: result: not JSON: unexpected character at byte 0");
    assert_int_equal(qk_complete_batch(queue, NULL, outcomes + 2, 1, &err), QK_ELEASE);
    assert_good(qk_complete_batch(queue, NULL, NULL, 0, &err));
    qk_claims_free(claims);
}

static void test_filter__refuses_what_means_nothing(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job_list *list = NULL;
    size_t count = 77;
    qk_job_filter filter;

    memset(&filter, 0, sizeof(filter));
    assert_refused(qk_job_list_get(&list, queue, &filter, &err), QK_EINVAL,
                   "job filter: version 0 is not known, start from QK_JOB_FILTER_INIT");
    filter = (qk_job_filter)QK_JOB_FILTER_INIT;
    filter.statuses = 1u << QK_JOB_STATUS_COUNT;
    assert_refused(qk_job_list_get(&list, queue, &filter, &err), QK_EINVAL,
                   "statuses: has a bit that stands for no status");
    filter.statuses = 1u << QK_JOB_PENDING;
    assert_refused(qk_purge(&count, queue, &filter, &err), QK_EINVAL,
                   "statuses: only done, failed, skipped and cancelled jobs can be purged");
    assert_refused(qk_dead_letters(&list, queue, &filter, &err), QK_EINVAL,
                   "statuses: dead letters are failed jobs only");
    filter = (qk_job_filter)QK_JOB_FILTER_INIT;
    filter.id_suffix = "12345";
    assert_refused(qk_job_list_get(&list, queue, &filter, &err), QK_EINVAL,
                   "id: give its last 6 to 32 hex digits");
    filter.id_suffix = "1234-5";
    assert_int_equal(qk_job_list_get(&list, queue, &filter, &err), QK_EINVAL);
    filter.id_suffix = "12345x";
    assert_refused(qk_job_list_get(&list, queue, &filter, &err), QK_EINVAL,
                   "id: must be the last hex digits of a job's id");
    filter = (qk_job_filter)QK_JOB_FILTER_INIT;
    filter.older_than = qk_us(-1);
    assert_refused(qk_purge(&count, queue, &filter, &err), QK_EINVAL,
                   "older_than: must not be negative");
    assert_null(list);
    assert_int_equal(count, 77);
}

static void test_list__by_the_end_of_an_id_as_it_is_shown(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    char text[QK_ID_TEXT_SIZE];
    qk_id id;
    assert_good(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    assert_good(qk_enqueue(&id, queue, "k", NULL, NULL, &err));
    qk_id_format(text, id);
    for (char *c = text; *c; c++) {
        if (*c >= 'a' && *c <= 'f')
            *c = (char)(*c - 'a' + 'A');
    }
    for (size_t from = 0; from <= 30; from += 6) {
        qk_job_filter filter = QK_JOB_FILTER_INIT;
        qk_job_list *list = NULL;
        filter.id_suffix = text + from;
        assert_good(qk_job_list_get(&list, queue, &filter, &err));
        assert_int_equal(list->count, 1);
        assert_int_equal(qk_id_compare(list->items[0].id, id), 0);
        qk_job_list_free(list);
    }
}

static void test_lookup__refuses_nothing_and_nobody(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_id none = { { 0 } };
    qk_job *job = NULL;
    qk_rows *rows = NULL;
    assert_refused(qk_job_get(&job, queue, none, &err), QK_EINVAL, "job: the id is empty");
    assert_refused(qk_cancel(queue, none, &err), QK_EINVAL, "job: the id is empty");
    assert_refused(qk_retry(queue, none, &err), QK_EINVAL, "job: the id is empty");
    assert_refused(qk_wait(&job, queue, none, qk_us(0), &err), QK_EINVAL, "job: the id is empty");
    assert_refused(qk_wait(&job, queue, qk_id_new(), qk_us(-1), &err), QK_EINVAL,
                   "timeout: must not be negative");
    assert_int_equal(qk_job_get(&job, queue, qk_id_new(), &err), QK_ENOTFOUND);
    assert_int_equal(qk_cancel(queue, qk_id_new(), &err), QK_ENOTFOUND);
    assert_int_equal(qk_retry(queue, qk_id_new(), &err), QK_ENOTFOUND);
    assert_int_equal(qk_wait(&job, queue, qk_id_new(), qk_forever(), &err), QK_ENOTFOUND);
    assert_null(job);
    assert_refused(qk_queue_pause(queue, "", &err), QK_EINVAL, "queue: must not be empty");
    assert_refused(qk_queue_resume(queue, NULL, &err), QK_EINVAL, "queue: must not be empty");
    assert_refused(qk_rows_open(&rows, queue, "", qk_us(0), &err), QK_EINVAL,
                   "sql: must not be empty");
    assert_refused(qk_rows_open(&rows, queue, "SELECT 1", qk_us(-1), &err), QK_EINVAL,
                   "timeout: must not be negative");
    assert_null(rows);
    assert_int_equal(qk_rows_column_count(NULL), 0);
    assert_null(qk_rows_text(NULL, 0));
    assert_int_equal(qk_rows_length(NULL, 0), 0);
    qk_rows_close(NULL);
}

static void test_rows__columns_outside_are_nothing(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    assert_good(qk_enqueue(NULL, queue, "k", NULL, NULL, &err));
    assert_good(qk_rows_open(&rows, queue, "SELECT kind, priority FROM jobs", qk_forever(), &err));
    assert_int_equal(qk_rows_column_count(rows), 2);
    assert_string_equal(qk_rows_column_name(rows, 1), "priority");
    assert_null(qk_rows_column_name(rows, 2));
    assert_good(qk_rows_next(rows, &err));
    assert_string_equal(qk_rows_text(rows, 0), "k");
    assert_string_equal(qk_rows_text(rows, 1), "50");
    assert_null(qk_rows_text(rows, 2));
    assert_int_equal(qk_rows_next(rows, &err), QK_EMPTY);
    qk_rows_close(rows);
}

static void test_rows__values_with_nul_have_a_length(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_rows *rows = NULL;
    assert_good(
        qk_rows_open(&rows, queue, "SELECT 'a' || chr(0) || 'b', NULL, ''", qk_forever(), &err));
    assert_good(qk_rows_next(rows, &err));
    assert_int_equal(qk_rows_length(rows, 0), 3);
    assert_memory_equal(qk_rows_text(rows, 0), "a\0b", 4);
    assert_int_equal(qk_rows_length(rows, 1), 0);
    assert_null(qk_rows_text(rows, 1));
    assert_int_equal(qk_rows_length(rows, 2), 0);
    assert_string_equal(qk_rows_text(rows, 2), "");
    assert_int_equal(qk_rows_length(rows, 3), 0);
    qk_rows_close(rows);
}

static void test_wait__says_when_time_is_up(void **state)
{
    qk_queue *queue = *state;
    qk_error err = QK_ERROR_INIT;
    qk_job *job = NULL;
    qk_id id;
    assert_good(qk_enqueue(&id, queue, "k", NULL, NULL, &err));
    assert_int_equal(qk_wait(&job, queue, id, qk_us(0), &err), QK_ETIMEDOUT);
    assert_int_equal(qk_wait(&job, queue, id, qk_ms(5), &err), QK_ETIMEDOUT);
    assert_null(job);
    assert_good(qk_cancel(queue, id, &err));
    assert_good(qk_wait(&job, queue, id, qk_forever(), &err));
    assert_int_equal(job->status, QK_JOB_CANCELLED);
    qk_job_free(job);
    assert_int_equal(qk_cancel(queue, id, &err), QK_ESTATE);
}

/* A job of a large batch may cost a microsecond here. Sanitizers and a busy machine multiply that,
 * so the bound is ten times it: it still catches an allocation or a scan per job. */
static void test_spec__a_large_batch_is_prepared_fast(void **state)
{
    enum { COUNT = 10000 };
    const qk__spec_limits limits = { "default", 4u << 20 };
    (void)state;
    qk_error err = QK_ERROR_INIT;
    qk_job_options options = QK_JOB_OPTIONS_INIT;
    qk_job_spec *specs = calloc(COUNT, sizeof(*specs));
    qk__new_job *jobs = calloc(COUNT, sizeof(*jobs));
    assert_true(specs && jobs);
    for (int i = 0; i < COUNT; i++)
        specs[i] =
            (qk_job_spec){ "resize", "{\"path\":\"/data/in/000123.csv\",\"width\":80}", &options };
    double best = 1e9;
    for (int round = 0; round < 20; round++) {
        struct timespec a, b;
        qk__spec_memory memory = { 0 };
        size_t bad = 0;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        assert_good(qk__spec_prepare(jobs, &bad, &memory, &limits, specs, COUNT, &err));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        qk__spec_memory_dispose(&memory);
        double us = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 1e3;
        best = us / COUNT < best ? us / COUNT : best;
    }
    print_message("%.3f us per job\n", best);
    assert_true(best < 10.0);
    free(specs);
    free(jobs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_enqueue__refuses_bad_kinds_and_payloads),
        TEST(test_enqueue__refuses_bad_commands),
        TEST(test_enqueue__refuses_bad_options),
        TEST(test_enqueue__fills_in_the_defaults_of_the_kind),
        TEST(test_enqueue__keeps_what_was_asked_for),
        TEST(test_batch__a_bad_spec_is_named_and_nothing_is_enqueued),
        TEST(test_batch__shared_options_do_not_leak_into_others),
        TEST(test_enqueue__a_parent_named_twice_counts_once),
        TEST(test_enqueue__ids_and_keys_are_recognised),
        TEST(test_claim__refuses_bad_options),
        TEST(test_claim__any_maximum_is_good),
        TEST(test_ack__refuses_bad_leases_and_results),
        TEST(test_fail__texts_are_made_fit),
        TEST(test_complete_batch__each_for_itself),
        TEST(test_filter__refuses_what_means_nothing),
        TEST(test_list__by_the_end_of_an_id_as_it_is_shown),
        TEST(test_lookup__refuses_nothing_and_nobody),
        TEST(test_rows__columns_outside_are_nothing),
        TEST(test_rows__values_with_nul_have_a_length),
        TEST(test_wait__says_when_time_is_up),
        TEST(test_spec__a_large_batch_is_prepared_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
