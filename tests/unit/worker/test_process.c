/*
 * Child processes (src/worker/process.c), with the machine's own sh, true, false, sleep.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/process.h"

extern char **environ;

static atomic_bool cancelled;
static int cancel_fd;
static int ticks;
static void (*on_tick)(void);

static void tick(void *user, const qk__process_end *so_far)
{
    (void)user;
    (void)so_far;
    ticks++;
    if (on_tick)
        on_tick();
}

static void cancel_now(void)
{
    uint64_t one = 1;

    atomic_store(&cancelled, true);
    assert_int_equal(write(cancel_fd, &one, sizeof(one)), sizeof(one));
    on_tick = NULL;
}

static int set_up(void **state)
{
    (void)state;
    atomic_store(&cancelled, false);
    ticks = 0;
    on_tick = NULL;
    cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return cancel_fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    return close(cancel_fd);
}

static qk__process_spec spec_of(const char *const *argv)
{
    return (qk__process_spec){ .argv = (char *const *)(uintptr_t)argv,
                               .env = environ,
                               .cancelled = &cancelled,
                               .cancel_fd = cancel_fd,
                               .tick = tick };
}

static void run_shell(qk__process_end *end, const char *script)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    qk__process_spec spec = spec_of(argv);
    qk_error err = QK_ERROR_INIT;

    if (qk__process_run(end, &spec, &err) != QK_OK)
        fail_msg("%s", err.message);
    assert_true(end->known);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void assert_stream(const qk__stream *stream, const char *expected)
{
    assert_string_equal(stream->head.data ? stream->head.data : "", expected);
}

static void test_run__output_and_exit_code(void **state)
{
    (void)state;
    qk__process_end end;
    size_t length;

    run_shell(&end, "printf out; printf err >&2; exit 3");
    assert_int_equal(end.exit_code, 3);
    assert_int_equal(end.signal, 0);
    assert_stream(&end.out, "out");
    assert_stream(&end.err, "err");
    qk__tail_view(&end.log, &length);
    assert_int_equal(length, 6);
    qk__process_end_dispose(&end);
}

static void test_run__program_is_looked_up_in_the_path(void **state)
{
    (void)state;
    const char *argv[] = { "true", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;

    assert_int_equal(qk__process_run(&end, &spec, NULL), QK_OK);
    assert_int_equal(end.exit_code, 0);
    qk__process_end_dispose(&end);
}

static void test_run__path_of_the_command_counts(void **state)
{
    (void)state;
    char folder[] = "/tmp/queuack-path.XXXXXX", program[64], var[80];
    const char *argv[] = { "my-own-tool", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;
    qk_error err = QK_ERROR_INIT;

    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof(program), "%s/my-own-tool", folder);
    snprintf(var, sizeof(var), "PATH=/nonexistent:%s", folder);
    char *env[] = { var, NULL };
    spec.env = env;
    FILE *file = fopen(program, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\nprintf found\n", file);
    fclose(file);

    assert_int_equal(qk__process_run(&end, &spec, &err), QK_EINVAL); /* not executable yet */
    assert_non_null(strstr(err.message, "Permission denied"));
    qk__process_end_dispose(&end);

    assert_int_equal(chmod(program, 0700), 0);
    if (qk__process_run(&end, &spec, &err) != QK_OK)
        fail_msg("%s", err.message);
    assert_stream(&end.out, "found");
    qk__process_end_dispose(&end);
    unlink(program);
    rmdir(folder);
}

static void assert_refused(const char *program, const char *cwd, const char *message)
{
    const char *argv[] = { program, NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;
    qk_error err = QK_ERROR_INIT;

    spec.cwd = cwd;
    assert_int_equal(qk__process_run(&end, &spec, &err), QK_EINVAL);
    assert_string_equal(err.message, message);
    qk__process_end_dispose(&end);
}

static void test_run__what_cannot_start_says_why(void **state)
{
    (void)state;
    assert_refused("no-such-program-here", NULL,
                   "cannot run no-such-program-here: No such file or directory");
    assert_refused("/no/such/program", NULL,
                   "cannot run /no/such/program: No such file or "
                   "directory");
    assert_refused("/etc/passwd", NULL, "cannot run /etc/passwd: Permission denied");
    assert_refused("/bin/true", "/no/such/folder",
                   "cannot run in the folder /no/such/folder: No such file or directory");
    assert_refused("/bin/true", "/etc/passwd",
                   "cannot run in the folder /etc/passwd: Not a directory");
}

static void test_run__folder_and_input(void **state)
{
    (void)state;
    const char *argv[] = { "/bin/sh", "-c", "pwd; cat", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;

    spec.cwd = "/usr";
    spec.input = "what came in";
    spec.input_length = strlen(spec.input);
    assert_int_equal(qk__process_run(&end, &spec, NULL), QK_OK);
    assert_stream(&end.out, "/usr\nwhat came in");
    qk__process_end_dispose(&end);
}

static void test_run__large_input_and_output_do_not_block_each_other(void **state)
{
    (void)state;
    const char *argv[] = { "/bin/cat", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;

    spec.input_length = 4 << 20;
    char *input = malloc(spec.input_length);
    assert_non_null(input);
    memset(input, 'q', spec.input_length);
    spec.input = input;
    assert_int_equal(qk__process_run(&end, &spec, NULL), QK_OK);
    assert_int_equal(end.out.total, spec.input_length);
    qk__process_end_dispose(&end);
    free(input);
}

static void test_run__input_nobody_reads_is_no_error(void **state)
{
    (void)state;
    const char *argv[] = { "/bin/true", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;
    static char input[1 << 20];

    signal(SIGPIPE, SIG_IGN);
    spec.input = input;
    spec.input_length = sizeof(input);
    assert_int_equal(qk__process_run(&end, &spec, NULL), QK_OK);
    assert_int_equal(end.exit_code, 0);
    qk__process_end_dispose(&end);
    signal(SIGPIPE, SIG_DFL);
}

static void test_run__ten_megabytes_of_output_stay_bounded(void **state)
{
    (void)state;
    qk__process_end end;
    size_t length;

    run_shell(&end, "head -c 10485760 /dev/zero; printf '\\nthe end'");
    assert_int_equal(end.out.total, 10485760 + 8);
    assert_int_equal(end.out.head.length, QK__STREAM_HALF);
    assert_true(end.out.tail.capacity <= 2 * QK__STREAM_HALF);
    qk__tail_view(&end.log, &length);
    assert_int_equal(length, QK__LOG_TAIL);
    char *line = qk__stream_last_line(&end.out, &length);
    assert_non_null(line);
    assert_string_equal(line, "the end");
    free(line);
    qk__process_end_dispose(&end);
}

static void test_run__a_signal_is_reported(void **state)
{
    (void)state;
    qk__process_end end;

    run_shell(&end, "kill -KILL $$");
    assert_int_equal(end.signal, SIGKILL);
    assert_int_equal(end.exit_code, 137);
    qk__process_end_dispose(&end);
}

static void test_run__a_grandchild_that_holds_the_pipes_does_not_hang(void **state)
{
    (void)state;
    qk__process_end end;
    double before = seconds();

    run_shell(&end, "sleep 30 & echo $!");
    assert_true(seconds() - before < 10);
    assert_int_equal(end.exit_code, 0);
    /* It was not told to stop, so it goes on. */
    pid_t grandchild = (pid_t)atoi(end.out.head.data);
    assert_true(grandchild > 1);
    assert_int_equal(kill(grandchild, 0), 0);
    kill(grandchild, SIGKILL);
    qk__process_end_dispose(&end);
}

/* Waits until no process of that id is alive; a zombie that nobody reaps counts as gone. */
static bool goes(pid_t pid)
{
    char path[64], line[256];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (double start = seconds(); seconds() - start < 10;) {
        FILE *file = fopen(path, "r");
        if (!file)
            return true;
        char *text = fgets(line, sizeof(line), file);
        fclose(file);
        const char *name_end = text ? strrchr(line, ')') : NULL;
        if (!name_end || name_end[2] == 'Z')
            return true;
        sched_yield();
    }
    return false;
}

static void test_cancel__ends_the_whole_group(void **state)
{
    (void)state;
    qk__process_end end;
    double before = seconds();

    on_tick = cancel_now;
    run_shell(&end, "sleep 30 & echo $!; wait");
    assert_true(seconds() - before < 10);
    assert_int_equal(end.signal, SIGTERM);
    assert_true(goes((pid_t)atoi(end.out.head.data)));
    qk__process_end_dispose(&end);
}

static void test_cancel__kills_what_ignores_the_request(void **state)
{
    (void)state;
    qk__process_end end;
    double before = seconds();

    on_tick = cancel_now;
    run_shell(&end, "trap '' TERM; echo deaf; while :; do sleep 1; done");
    double took = seconds() - before;
    assert_true(took >= 4.9);
    assert_true(took < 15);
    assert_int_equal(end.signal, SIGKILL);
    assert_stream(&end.out, "deaf\n");
    qk__process_end_dispose(&end);
}

static void test_run__gets_no_descriptors_but_three(void **state)
{
    (void)state;
    qk__process_end end;
    int leaky = open("/dev/null", O_RDONLY); /* without close-on-exec */

    assert_true(leaky > 2);
    run_shell(&end, "for fd in /proc/self/fd/*; do echo ${fd##*/}; done");
    /* 3 is the shell's own, reading that folder. */
    char *text = end.out.head.data;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(atoi(line) <= 3);
    close(leaky);
    qk__process_end_dispose(&end);
}

static void test_run__gets_default_signals_and_its_own_session(void **state)
{
    (void)state;
    qk__process_end end;
    sigset_t set, before;

    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    run_shell(&end, "grep -E '^(SigBlk|SigIgn)' /proc/self/status; ps -o sid= -p $$ | tr -d ' '; "
                    "echo $$");
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    char mask[2][64], session[32], pid[32];
    assert_int_equal(sscanf(end.out.head.data, "SigBlk: %63s SigIgn: %63s %31s %31s", mask[0],
                            mask[1], session, pid),
                     4);
    /* Above 31 the C library keeps some for itself. */
    assert_int_equal(strtoull(mask[0], NULL, 16) & 0x7FFFFFFF, 0);
    assert_int_equal(strtoull(mask[1], NULL, 16) & 0x7FFFFFFF, 0);
    assert_string_equal(session, pid);
    qk__process_end_dispose(&end);
}

static void test_run__other_children_are_left_alone(void **state)
{
    (void)state;
    qk__process_end end;
    int status;
    pid_t other = fork();

    if (other == 0)
        _exit(7);
    run_shell(&end, "exit 0");
    qk__process_end_dispose(&end);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_run__ignored_children_are_said_to_be_lost(void **state)
{
    (void)state;
    const char *argv[] = { "/bin/true", NULL };
    qk__process_spec spec = spec_of(argv);
    qk__process_end end;

    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(qk__process_run(&end, &spec, NULL), QK_OK);
    signal(SIGCHLD, SIG_DFL);
    assert_false(end.known);
    qk__process_end_dispose(&end);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_run__output_and_exit_code),
        TEST(test_run__program_is_looked_up_in_the_path),
        TEST(test_run__path_of_the_command_counts),
        TEST(test_run__what_cannot_start_says_why),
        TEST(test_run__folder_and_input),
        TEST(test_run__large_input_and_output_do_not_block_each_other),
        TEST(test_run__input_nobody_reads_is_no_error),
        TEST(test_run__ten_megabytes_of_output_stay_bounded),
        TEST(test_run__a_signal_is_reported),
        TEST(test_run__a_grandchild_that_holds_the_pipes_does_not_hang),
        TEST(test_cancel__ends_the_whole_group),
        TEST(test_cancel__kills_what_ignores_the_request),
        TEST(test_run__gets_no_descriptors_but_three),
        TEST(test_run__gets_default_signals_and_its_own_session),
        TEST(test_run__other_children_are_left_alone),
        TEST(test_run__ignored_children_are_said_to_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
