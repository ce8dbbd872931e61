/*
 * The write-ahead log: private whatever the umask, and refused rather than cut when it is damaged.
 * Covers src/store/embedded/database_log.c and the private threads of database.c.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <queuack/queuack.h>

#define JOBS 5
#define LOG_MAX 65536

typedef struct files {
    char path[512], log[520];
    unsigned char store[4u << 20], wal[LOG_MAX];
    size_t store_size, wal_size;
} files;

static files kept;

static size_t load(const char *path, unsigned char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(out, 1, size, file);
    fclose(file);
    assert_true(got > 0 && got < size);
    return got;
}

static void save(const char *path, const unsigned char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* What a container's seccomp profile does. */
static void forbid_unshare(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(2);
}

static void enqueue_and_die(const char *path, bool confined)
{
    qk_queue *queue = NULL;
    umask(0);
    if (confined)
        forbid_unshare();
    if (qk_queue_open(&queue, path, NULL, NULL) != QK_OK)
        _exit(3);
    for (int i = 0; i < JOBS; i++) {
        if (qk_enqueue(NULL, queue, "k", "{\"secret\":1}", NULL, NULL) != QK_OK)
            _exit(4);
    }
    kill(getpid(), SIGKILL);
}

/* A store whose jobs are in its log only, as a killed owner leaves it. */
static void make(files *f, const char *name, bool confined)
{
    const char *folder = getenv("TMPDIR");
    int status;
    snprintf(f->path, sizeof(f->path), "%s/%s-%d.duckdb", folder && *folder ? folder : "/tmp", name,
             (int)getpid());
    snprintf(f->log, sizeof(f->log), "%s.wal", f->path);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        enqueue_and_die(f->path, confined);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the owner ended with %d", WEXITSTATUS(status));
    f->store_size = load(f->path, f->store, sizeof(f->store));
    f->wal_size = load(f->log, f->wal, sizeof(f->wal));
}

static mode_t mode_of(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_mode & 0777;
}

static void test_log__is_private_whatever_the_umask(void **state)
{
    (void)state;
    static files f;
    make(&f, "private", false);
    assert_int_equal(mode_of(f.path), 0600);
    assert_int_equal(mode_of(f.log), 0600);
}

static void test_log__is_private_where_unshare_is_forbidden(void **state)
{
    (void)state;
    static files f;
    make(&f, "confined", true);
    assert_int_equal(mode_of(f.path), 0600);
    assert_int_equal(mode_of(f.log), 0600);
}

static void restore(const files *f)
{
    save(f->path, f->store, f->store_size);
    save(f->log, f->wal, f->wal_size);
}

/* Jobs after opening; the status in *rc. */
static uint64_t jobs_after_opening(const files *f, qk_status *rc, qk_error *err)
{
    qk_queue *queue = NULL;
    qk_stats *stats = NULL;
    *rc = qk_queue_open(&queue, f->path, NULL, err);
    if (*rc)
        return 0;
    assert_int_equal(qk_stats_get(&stats, queue, err), QK_OK);
    uint64_t count = stats->queues[0].counts[QK_JOB_PENDING];
    qk_stats_free(stats);
    qk_queue_close(queue);
    return count;
}

static void assert_refused_unchanged(const files *f, const unsigned char *wal, size_t wal_size)
{
    static unsigned char now[LOG_MAX];
    qk_status rc;
    qk_error err = QK_ERROR_INIT;
    uint64_t jobs = jobs_after_opening(f, &rc, &err);
    if (rc != QK_EDAMAGED)
        fail_msg("code %d, %d of %d jobs: %s", (int)rc, (int)jobs, JOBS, err.message);
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(load(f->log, now, sizeof(now)), wal_size);
    assert_memory_equal(now, wal, wal_size);
}

static uint64_t length_at(const unsigned char *bytes)
{
    uint64_t length;
    memcpy(&length, bytes, sizeof(length));
    return length;
}

/* Every byte of the head and of every entry's length and checksum, and one of its data. */
static void test_damage__of_any_entry_is_refused(void **state)
{
    (void)state;
    static unsigned char wal[LOG_MAX];
    const files *f = &kept;
    size_t entries = 0;
    for (size_t i = 0; i < 8; i++) {
        memcpy(wal, f->wal, f->wal_size);
        wal[i] ^= 0xFF;
        restore(f);
        save(f->log, wal, f->wal_size);
        assert_refused_unchanged(f, wal, f->wal_size);
    }
    for (size_t at = 8; at + 16 < f->wal_size; at += 16 + length_at(f->wal + at), entries++) {
        for (size_t i = entries % 3; i < 17; i += 3) {
            memcpy(wal, f->wal, f->wal_size);
            wal[at + i] ^= (unsigned char)(1u << (at + i) % 8);
            restore(f);
            save(f->log, wal, f->wal_size);
            assert_refused_unchanged(f, wal, f->wal_size);
        }
    }
    assert_true(entries >= 3 * JOBS);
}

/* A commit that was cut short was never reported: what came before it is there. */
static void test_tear__at_the_end_loses_the_last_commit_only(void **state)
{
    (void)state;
    const files *f = &kept;
    for (size_t cut = 1; cut < 600; cut += 47) {
        qk_status rc;
        qk_error err = QK_ERROR_INIT;
        restore(f);
        save(f->log, f->wal, f->wal_size - cut);
        assert_int_equal(jobs_after_opening(f, &rc, &err), JOBS - 1);
        assert_int_equal(rc, QK_OK);
    }
}

static void test_missing__file_with_a_log_is_not_made_anew(void **state)
{
    (void)state;
    const files *f = &kept;
    restore(f);
    assert_int_equal(unlink(f->path), 0);
    assert_refused_unchanged(f, f->wal, f->wal_size);
    assert_int_not_equal(access(f->path, F_OK), 0);
    save(f->path, f->store, 0);
    assert_refused_unchanged(f, f->wal, f->wal_size);
    assert_int_equal(access(f->path, F_OK), 0);
}

static int setup(void **state)
{
    (void)state;
    make(&kept, "log", false);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log__is_private_whatever_the_umask),
        cmocka_unit_test(test_log__is_private_where_unshare_is_forbidden),
        cmocka_unit_test(test_damage__of_any_entry_is_refused),
        cmocka_unit_test(test_tear__at_the_end_loses_the_last_commit_only),
        cmocka_unit_test(test_missing__file_with_a_log_is_not_made_anew),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
