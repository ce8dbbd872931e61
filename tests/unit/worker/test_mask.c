/*
 * Masking secrets: wherever the text is cut in two, the outcome is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/mask.h"

typedef struct row {
    const char *text, *masked;
} row;

static void check(const qk__secrets *secrets, const row *row, size_t cut)
{
    qk__buffer out, held;
    qk__buffer_init(&out, 1000);
    qk__buffer_init(&held, 1000);
    assert_true(qk__mask(&out, &held, secrets, row->text, cut, false));
    assert_true(qk__mask(&out, &held, secrets, row->text + cut, strlen(row->text) - cut, true));
    assert_string_equal(out.data ? out.data : "", row->masked);
    assert_int_equal(held.length, 0);
    qk__buffer_dispose(&out);
    qk__buffer_dispose(&held);
}

static void test_mask__is_the_same_wherever_it_is_cut(void **state)
{
    static const row rows[] = {
        { "", "" },
        { "nothing here", "nothing here" },
        { "token", "***" },
        { "a token, tokentoken; toke", "a ***, ******; toke" },
        { "tokens4ever!", "***!" },
        { "ttoken tokens4eve", "t*** ***s4eve" },
        { "say \"hi\" or say \\\"hi\\\"", "*** or ***" },
        { "abc abcd", "abc abcd" },
    };
    qk__secrets secrets = { NULL, 0 };
    (void)state;
    assert_true(qk__secrets_add(&secrets, "token"));
    assert_true(qk__secrets_add(&secrets, "tokens4ever"));
    assert_true(qk__secrets_add(&secrets, "say \"hi\""));
    assert_true(qk__secrets_add(&secrets, "abc")); /* too short to be looked for */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cut = 0; cut <= strlen(rows[i].text); cut++)
            check(&secrets, &rows[i], cut);
    }
    qk__secrets_dispose(&secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask__is_the_same_wherever_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
