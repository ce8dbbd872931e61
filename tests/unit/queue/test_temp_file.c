/*
 * Files of auto-migrated stores: made afresh, swept only when dead, never through links.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/temp_file.h"

static const qk__log silent = { 0 };

static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = NULL;
    if (asprintf(&folder, "%s/temp-file.XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(folder))
        return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    char command[600];
    int length = snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    free(*state);
    return length < (int)sizeof(command) ? system(command) : -1;
}

static char *path_in(const char *folder, const char *name)
{
    static char paths[4][600];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void put(const char *folder, const char *name)
{
    int fd = open(path_in(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static bool there(const char *folder, const char *name)
{
    struct stat info;
    return lstat(path_in(folder, name), &info) == 0;
}

static int hold_lock(const char *path)
{
    struct flock region = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &region), 0);
    return fd;
}

static qk__temp_file make(const char *folder)
{
    qk__temp_file file;
    qk_error err = QK_ERROR_INIT;
    if (qk__temp_file_make(&file, folder, &silent, &err) != QK_OK)
        fail_msg("%s", err.message);
    return file;
}

static unsigned number_of(const char *path)
{
    unsigned pid = 0, number = 0;
    assert_int_equal(sscanf(strrchr(path, '/'), "/auto_migrated_%u_%u.duckqueue.db", &pid, &number),
                     2);
    assert_int_equal(pid, getpid());
    return number;
}

static void test_make__is_private_and_new(void **state)
{
    qk__temp_file file = make(*state);
    struct stat info;
    assert_int_equal(lstat(file.path, &info), 0);
    assert_int_equal(info.st_mode, S_IFREG | 0600);
    assert_int_equal(info.st_size, 0);
    assert_int_equal(qk__temp_file_opened(&file, NULL), QK_OK);
    char *path = strdup(file.path);
    assert_non_null(path);
    qk__temp_file_remove(&file);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(*state), 0); /* nothing else is left either */
    assert_int_equal(mkdir(*state, 0700), 0);
    free(path);
}

static void test_make__steps_over_names_and_links_that_exist(void **state)
{
    const char *folder = *state;
    char name[100];
    qk__temp_file first = make(folder);
    unsigned number = number_of(first.path);
    put(folder, "victim");
    snprintf(name, sizeof(name), "auto_migrated_%d_%u.duckqueue.db", (int)getpid(), number + 1);
    assert_int_equal(symlink("victim", path_in(folder, name)), 0);
    snprintf(name, sizeof(name), "auto_migrated_%d_%u.duckqueue.db", (int)getpid(), number + 2);
    assert_int_equal(symlink("nowhere", path_in(folder, name)), 0);
    snprintf(name, sizeof(name), "auto_migrated_%d_%u.duckqueue.db", (int)getpid(), number + 3);
    assert_int_equal(mkdir(path_in(folder, name), 0700), 0);

    qk__temp_file second = make(folder);
    assert_int_equal(number_of(second.path), number + 4);
    assert_false(there(folder, "nowhere"));
    struct stat info;
    assert_int_equal(stat(path_in(folder, "victim"), &info), 0);
    assert_int_equal(info.st_size, 1);
    qk__temp_file_remove(&first);
    qk__temp_file_remove(&second);
}

static void test_opened__refuses_what_was_put_in_its_place(void **state)
{
    const char *folder = *state;
    qk_error err = QK_ERROR_INIT;
    put(folder, "victim");

    qk__temp_file linked = make(folder);
    assert_int_equal(unlink(linked.path), 0);
    assert_int_equal(symlink("victim", linked.path), 0);
    assert_int_equal(qk__temp_file_opened(&linked, &err), QK_EREFUSED);
    qk__temp_file_remove(&linked);

    qk__temp_file readable = make(folder);
    assert_int_equal(chmod(readable.path, 0644), 0);
    assert_int_equal(qk__temp_file_opened(&readable, &err), QK_EREFUSED);
    qk__temp_file_remove(&readable);

    qk__temp_file doubled = make(folder);
    assert_int_equal(link(doubled.path, path_in(folder, "second-name")), 0);
    assert_int_equal(qk__temp_file_opened(&doubled, &err), QK_EREFUSED);
    qk__temp_file_remove(&doubled);
    assert_true(there(folder, "victim"));
}

static void test_sweep__takes_the_dead_with_all_that_is_theirs(void **state)
{
    const char *folder = *state;
    put(folder, "auto_migrated_1_1.duckqueue.db"); /* died before it had a lock */
    put(folder, "auto_migrated_2_7.duckqueue.db");
    put(folder, "auto_migrated_2_7.duckqueue.db.wal");
    put(folder, "auto_migrated_2_7.duckqueue.db.lock");
    put(folder, "auto_migrated_3_1.duckqueue.db.wal"); /* left by a sweep that was cut short */
    qk__temp_file file = make(folder);
    assert_false(there(folder, "auto_migrated_1_1.duckqueue.db"));
    assert_false(there(folder, "auto_migrated_2_7.duckqueue.db"));
    assert_false(there(folder, "auto_migrated_2_7.duckqueue.db.wal"));
    assert_false(there(folder, "auto_migrated_2_7.duckqueue.db.lock"));
    assert_false(there(folder, "auto_migrated_3_1.duckqueue.db.wal"));
    qk__temp_file_remove(&file);
}

static void test_sweep__leaves_the_living_whatever_their_process_id(void **state)
{
    const char *folder = *state;
    /* No process has such a number: the lock alone says that the file is in use. */
    put(folder, "auto_migrated_99999999_1.duckqueue.db");
    put(folder, "auto_migrated_99999999_1.duckqueue.db.wal");
    int fd = hold_lock(path_in(folder, "auto_migrated_99999999_1.duckqueue.db.lock"));
    qk__temp_file file = make(folder);
    assert_true(there(folder, "auto_migrated_99999999_1.duckqueue.db"));
    assert_true(there(folder, "auto_migrated_99999999_1.duckqueue.db.wal"));
    qk__temp_file_remove(&file);
    close(fd);
    /* And the other way round: our own living process does not keep a dead file. */
    char name[100];
    snprintf(name, sizeof(name), "auto_migrated_%d_999999.duckqueue.db", (int)getpid());
    put(folder, name);
    file = make(folder);
    assert_false(there(folder, name));
    assert_false(there(folder, "auto_migrated_99999999_1.duckqueue.db"));
    qk__temp_file_remove(&file);
}

static void test_sweep__touches_no_links_and_no_other_names(void **state)
{
    const char *folder = *state;
    static const char *const kept[] = {
        "auto_migrated_.duckqueue.db",      "auto_migrated_1_.duckqueue.db",
        "auto_migrated_x_1.duckqueue.db",   "auto_migrated_1_1.duckqueue.db.backup",
        "xauto_migrated_1_1.duckqueue.db",  "auto_migrated_1_1.duckdb",
        "auto_migrated_-1_1.duckqueue.db",  "auto_migrated_1_1.duckqueue.dbx",
        "auto_migrated_1_1_1.duckqueue.db", "jobs.duckdb",
    };
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        put(folder, kept[i]);
    put(folder, "victim");
    assert_int_equal(symlink("victim", path_in(folder, "auto_migrated_4_1.duckqueue.db")), 0);
    assert_int_equal(
        link(path_in(folder, "victim"), path_in(folder, "auto_migrated_5_1.duckqueue.db")), 0);
    put(folder, "auto_migrated_6_1.duckqueue.db");
    assert_int_equal(symlink("victim", path_in(folder, "auto_migrated_6_1.duckqueue.db.lock")), 0);
    assert_int_equal(mkdir(path_in(folder, "auto_migrated_7_1.duckqueue.db"), 0700), 0);

    qk__temp_file file = make(folder);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_true(there(folder, kept[i]));
    assert_true(there(folder, "victim"));
    assert_true(there(folder, "auto_migrated_4_1.duckqueue.db"));
    assert_true(there(folder, "auto_migrated_5_1.duckqueue.db"));
    assert_true(there(folder, "auto_migrated_6_1.duckqueue.db"));
    assert_true(there(folder, "auto_migrated_7_1.duckqueue.db"));
    qk__temp_file_remove(&file);
}

static void test_sweep__spares_a_file_that_is_just_being_made(void **state)
{
    const char *folder = *state;
    qk__temp_file first = make(folder); /* no lock yet: only the guard protects it */
    qk__temp_file second = make(folder);
    assert_int_equal(access(first.path, F_OK), 0);
    assert_int_equal(qk__temp_file_opened(&first, NULL), QK_OK);
    assert_int_equal(qk__temp_file_opened(&second, NULL), QK_OK);
    /* Nobody locked them: with the guard free they count as dead. */
    qk__temp_file third = make(folder);
    assert_int_equal(access(first.path, F_OK), -1);
    assert_int_equal(access(second.path, F_OK), -1);
    qk__temp_file_remove(&first);
    qk__temp_file_remove(&second);
    qk__temp_file_remove(&third);
}

static void test_remove__leaves_a_stranger_under_its_name(void **state)
{
    qk__temp_file file = make(*state);
    struct stat info;
    assert_int_equal(qk__temp_file_opened(&file, NULL), QK_OK);
    char *path = strdup(file.path);
    assert_non_null(path);
    char *other = path_in(*state, "other");
    put(*state, "other"); /* made while the first still exists: another inode for certain */
    assert_int_equal(rename(other, path), 0);
    qk__temp_file_remove(&file);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 1);
    free(path);
}

static void test_make__without_a_folder_says_so(void **state)
{
    qk__temp_file file;
    qk_error err = QK_ERROR_INIT;
    char *missing = path_in(*state, "missing");
    assert_int_equal(qk__temp_file_make(&file, missing, &silent, &err), QK_EIO);
    assert_int_equal(err.system_errno, ENOENT);
    assert_non_null(strstr(err.message, "missing: No such file or directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_make__is_private_and_new),
        TEST(test_make__steps_over_names_and_links_that_exist),
        TEST(test_opened__refuses_what_was_put_in_its_place),
        TEST(test_sweep__takes_the_dead_with_all_that_is_theirs),
        TEST(test_sweep__leaves_the_living_whatever_their_process_id),
        TEST(test_sweep__touches_no_links_and_no_other_names),
        TEST(test_sweep__spares_a_file_that_is_just_being_made),
        TEST(test_remove__leaves_a_stranger_under_its_name),
        TEST(test_make__without_a_folder_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
