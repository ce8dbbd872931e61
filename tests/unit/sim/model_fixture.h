/*
 * What the tests of the reference model share: one model per test, jobs numbered from 1, and the
 * invariants checked after each test.
 *
 * T(s) is the moment s, in seconds, the same on both clocks but for an offset.
 */
#ifndef QUEUACK_TESTS_UNIT_SIM_MODEL_FIXTURE_H
#define QUEUACK_TESTS_UNIT_SIM_MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../sim/model.h"

#define S(seconds) ((int64_t)(seconds)*1000000)
#define EPOCH S(1700000000)
#define T(seconds) ((struct model_now){ EPOCH + S(seconds), S(seconds) })
#define SPEC(...) (&(struct model_spec){ __VA_ARGS__ })
#define CLAIM(...) (&(struct model_claim_spec){ __VA_ARGS__ })
#define NEEDS(...)                                                                                 \
    .needs = (qk_id[]){ __VA_ARGS__ }, .needs_count = sizeof((qk_id[]){ __VA_ARGS__ }) / 16

static struct model *m;
static int next_id;

static inline qk_id make_id(int number)
{
    qk_id id = { { 0x01, 0x9a } };
    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

static inline int setup(void **state)
{
    (void)state;
    m = model_new(0);
    next_id = 1;
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    const char *broken = model_check(m);
    if (broken)
        print_error("%s\n", broken);
    model_free(m);
    return broken ? -1 : 0;
}

/* Enqueues with the defaults for what the spec leaves at zero, and expects success. */
static inline qk_id add_at(const struct model_spec *given, struct model_now now)
{
    struct model_spec spec = *given;
    spec.id = make_id(next_id++);
    spec.kind = spec.kind ? spec.kind : "work";
    spec.backoff_factor = spec.backoff_factor > 0 ? spec.backoff_factor : 2;
    struct model_enqueued out;
    assert_int_equal(model_enqueue(m, &out, NULL, &spec, 1, now), QK_OK);
    assert_false(out.duplicate);
    return out.id;
}

static inline qk_id add(const struct model_spec *given)
{
    return add_at(given, T(0));
}

static inline qk_job_status status_of(qk_id id)
{
    return model_get(m, id)->status;
}

#define assert_status(id, expected) assert_int_equal(status_of(id), QK_JOB_##expected)
#define assert_same(a, b) assert_memory_equal((a).bytes, (b).bytes, 16)

static inline void assert_reason(qk_id id, qk_id *root)
{
    char text[64] = "condition";
    if (root)
        snprintf(text, sizeof text, "parent_failed:019a0000-0000-0000-0000-00000000%02x%02x",
                 root->bytes[14], root->bytes[15]);
    assert_status(id, SKIPPED);
    assert_string_equal(model_get(m, id)->skip_reason, text);
}

/* Claims at most one from "default" by worker "w". */
static inline bool claim_one(struct model_claimed *out, struct model_now now)
{
    return model_claim(m, out, CLAIM(.worker = "w", .max = 1, .lease_us = S(30)), now) == 1;
}

static inline void claim_this(qk_id id, struct model_now now)
{
    struct model_claimed claimed;
    assert_true(claim_one(&claimed, now));
    assert_same(claimed.id, id);
}

static inline struct model_lease lease_of(qk_id id)
{
    return (struct model_lease){ id, model_get(m, id)->attempt, "w" };
}

static inline void report(qk_id id, qk_verdict verdict, bool permanent)
{
    struct model_outcome outcome = {
        .lease = lease_of(id), .verdict = verdict, .error = "broke", .permanent = permanent
    };
    outcome.result = verdict == QK_VERDICT_ACK ? "{}" : NULL;
    assert_int_equal(model_complete(m, &outcome, T(1)), QK_OK);
}

static inline void ack(qk_id id)
{
    report(id, QK_VERDICT_ACK, false);
}

static inline void fail_for_good(qk_id id)
{
    report(id, QK_VERDICT_FAIL, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif
