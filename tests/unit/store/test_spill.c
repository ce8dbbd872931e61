/*
 * Spill folders of a store's own: gone after a kill once another opens, never while alive.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/embedded/spill.h"

static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = NULL;
    if (asprintf(&folder, "%s/spill.XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(folder))
        return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    int rc = rmdir(*state); /* fails if a test leaves something */
    free(*state);
    return rc;
}

static qk__spill open_in(const char *folder)
{
    qk__spill spill;
    qk_error err = QK_ERROR_INIT;
    qk__store_config config = { .path = ":memory:", .temp_dir = folder };
    if (qk__spill_open(&spill, &config, &err) != QK_OK)
        fail_msg("%s", err.message);
    return spill;
}

static bool there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static void put(const char *folder, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

/* The folder's path, left by a process that was killed while it had it. */
static void killed_in(const char *folder, char path[PATH_MAX])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        qk__spill spill = open_in(folder);
        if (write(ends[1], spill.path, PATH_MAX) == PATH_MAX)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], path, PATH_MAX), PATH_MAX);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_spill__a_killed_stores_folder_goes_at_the_next_open(void **state)
{
    char dead[PATH_MAX];
    killed_in(*state, dead);
    put(dead, "duckdb_temp_storage_DEFAULT-0.tmp");
    qk__spill spill = open_in(*state);
    assert_false(there(dead));
    assert_true(there(spill.path));
    qk__spill_close(&spill);
}

static void test_spill__folders_in_use_stay(void **state)
{
    qk__spill first = open_in(*state);
    put(first.path, "file");
    qk__spill second = open_in(*state);
    char path[PATH_MAX + 8];
    snprintf(path, sizeof(path), "%s/file", first.path);
    assert_true(there(path));
    assert_string_not_equal(first.path, second.path);
    assert_int_equal(unlink(path), 0);
    qk__spill_close(&first);
    qk__spill_close(&second);
}

/* Links, folders with other rights, names of another form, and folders within. */
static void test_spill__what_is_not_ours_stays(void **state)
{
    static const char id[] = "018f0000-0000-7000-8000-00000000000";
    char linked[600], open_to_all[600], other[600], full[600], within[700];
    snprintf(linked, sizeof(linked), "%s/queuack-%s1.tmp", (char *)*state, id);
    snprintf(open_to_all, sizeof(open_to_all), "%s/queuack-%s2.tmp", (char *)*state, id);
    snprintf(other, sizeof(other), "%s/queuack-mine.tmp", (char *)*state);
    snprintf(full, sizeof(full), "%s/queuack-%s3.tmp", (char *)*state, id);
    snprintf(within, sizeof(within), "%s/folder", full);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(symlink(other, linked), 0);
    assert_int_equal(mkdir(open_to_all, 0700), 0);
    assert_int_equal(chmod(open_to_all, 0755), 0);
    assert_int_equal(mkdir(full, 0700), 0);
    assert_int_equal(mkdir(within, 0700), 0);
    qk__spill spill = open_in(*state);
    qk__spill_close(&spill);
    assert_int_equal(unlink(linked), 0);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(rmdir(open_to_all), 0);
    assert_int_equal(rmdir(within), 0);
    assert_int_equal(rmdir(full), 0);
}

/* Each sees the others' folders at every moment between making and locking. */
static void test_spill__makers_never_lose_theirs_to_each_other(void **state)
{
    pid_t children[4];
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] != 0)
            continue;
        for (int round = 0; round < 300; round++) {
            qk__spill spill = open_in(*state);
            if (!there(spill.path))
                _exit(1);
            qk__spill_close(&spill);
        }
        _exit(0);
    }
    for (size_t i = 0; i < 4; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
#define SPILL_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        SPILL_TEST(test_spill__a_killed_stores_folder_goes_at_the_next_open),
        SPILL_TEST(test_spill__folders_in_use_stay),
        SPILL_TEST(test_spill__what_is_not_ours_stays),
        SPILL_TEST(test_spill__makers_never_lose_theirs_to_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
