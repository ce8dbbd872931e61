/*
 * Forty SIGKILL rounds on one store, and the ledger that tells what must have survived.
 *
 * Each round forks a child that opens the store, enqueues with eight threads and works with eight
 * slots until it is killed: at a chosen point of a commit or a checkpoint (io.h), in a handler, in a
 * producer, or by the parent at a random time. After the last round everything is drained, and the
 * ledger is compared:
 *   1. every id that was reported by an enqueue was done, and every planned one exists once;
 *   2. a job whose report was durable never started again, and its result is there;
 *   3. no child started before its parent's work was done;
 *   4. plain DuckDB reads copies taken between rounds, with no less in them than was reported.
 * The parent opens no store before the last round, so that its children may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "load.h"
#include "plain.h"

#define ROUNDS_PER_PHASE 4

enum phase {
    BEFORE_WAL_WRITE,
    HALF_WAL_WRITE,
    BEFORE_WAL_SYNC,
    AFTER_WAL_SYNC,
    CHECKPOINT_WRITE,
    CHECKPOINT_SYNC,
    CHECKPOINT_END,
    IN_HANDLER,
    IN_PRODUCER,
    ANY_TIME,
    PHASES,
};

static const char *const phase_names[PHASES] = {
    "before a log write",
    "in the middle of a log write",
    "written, not synced",
    "synced, callers not told",
    "checkpoint: file write",
    "checkpoint: file sync",
    "checkpoint: log replaced",
    "in a handler",
    "in a producer",
    "at a random time",
};

static const unsigned phase_files[PHASES] = {
    [BEFORE_WAL_WRITE] = 1 << IO_WAL,  [HALF_WAL_WRITE] = 1 << IO_WAL,
    [BEFORE_WAL_SYNC] = 1 << IO_WAL,   [AFTER_WAL_SYNC] = 1 << IO_WAL,
    [CHECKPOINT_WRITE] = 1 << IO_MAIN, [CHECKPOINT_SYNC] = 1 << IO_MAIN,
    [CHECKPOINT_END] = 1 << IO_WAL,
};

static const unsigned phase_calls[PHASES] = {
    [BEFORE_WAL_WRITE] = 1 << IO_WRITE,
    [HALF_WAL_WRITE] = 1 << IO_WRITE,
    [BEFORE_WAL_SYNC] = 1 << IO_SYNC,
    [AFTER_WAL_SYNC] = 1 << IO_SYNC,
    [CHECKPOINT_WRITE] = 1 << IO_WRITE,
    [CHECKPOINT_SYNC] = 1 << IO_SYNC,
    [CHECKPOINT_END] = 1 << IO_TRUNCATE | 1 << IO_RENAME,
};

struct shared {
    atomic_int hits[PHASES];
};

static struct shared *shared;
static char folder[256], store_path[300], ledger_path[300];

static unsigned draw(unsigned below)
{
    return (unsigned)rand() % below;
}

static enum io_action action_of(enum phase phase, unsigned turn)
{
    static const enum io_action three[] = { IO_KILL_BEFORE, IO_KILL_HALF, IO_KILL_AFTER };
    switch (phase) {
    case BEFORE_WAL_WRITE:
    case BEFORE_WAL_SYNC:
        return IO_KILL_BEFORE;
    case HALF_WAL_WRITE:
        return IO_KILL_HALF;
    case AFTER_WAL_SYNC:
        return IO_KILL_AFTER;
    case CHECKPOINT_WRITE: /* a torn block of the file itself: test_torn.c */
        return turn % 2 ? IO_KILL_BEFORE : IO_KILL_AFTER;
    default:
        return three[turn % 3];
    }
}

static void arm(enum phase phase, unsigned turn)
{
    bool checkpoint = phase >= CHECKPOINT_WRITE && phase <= CHECKPOINT_END;
    struct io_rule rule = { .files = phase_files[phase],
                            .calls = phase_calls[phase],
                            .action = action_of(phase, turn),
                            .skip = draw(checkpoint ? 6 : 150),
                            .hits = &shared->hits[phase] };
    if (phase == CHECKPOINT_WRITE)
        rule.skip = draw(40);
    if (rule.files)
        io_arm(&rule);
}

/* The child's whole life. */
static void live(enum phase phase, unsigned turn, const struct ledger_line *unsure, size_t count)
{
    struct load load = { .path = store_path, .unsure = unsure, .unsure_count = count };
    static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal(signals[i], SIG_DFL); /* cmocka's handlers are for the parent */
    alarm(30); /* a child that hangs ends otherwise than by SIGKILL */
    if (!ledger_open(&load.ledger, ledger_path))
        abort();
    load.checkpoints = phase >= CHECKPOINT_WRITE && phase <= CHECKPOINT_END;
    load.handler_hits = &shared->hits[IN_HANDLER];
    load.producer_hits = &shared->hits[IN_PRODUCER];
    if (phase == IN_HANDLER)
        load.kill_handler_at = 1 + (int)draw(200);
    if (phase == IN_PRODUCER)
        load.kill_producer_at = 1 + (int)draw(200);
    load_open(&load);
    arm(phase, turn);
    load_run(&load);
}

/* Ids planned (alone, or as part of a batch) and not reported. A batch that is not reported may not
 * exist at all; then nobody asks for it. */
static struct ledger_line *unsure_of(struct ledger_line *lines, size_t count, size_t *out)
{
    struct ledger_line *unsure = calloc(count + 1, sizeof(*unsure));
    assert_non_null(unsure);
    *out = 0;
    ledger_sort(lines, count);
    for (size_t i = 0, end; i < count; i = end) {
        bool planned = false, reported = false;
        int number = 0;
        for (end = i; end < count && qk_id_compare(lines[i].id, lines[end].id) == 0; end++) {
            planned |= lines[end].event == 'P';
            reported |= lines[end].event == 'E';
            number = lines[end].event == 'P' ? lines[end].number : number;
        }
        if (planned && !reported)
            unsure[(*out)++] = (struct ledger_line){ lines[i].id, 'P', number, 0 };
    }
    return unsure;
}

static void round_of(enum phase phase, unsigned turn)
{
    size_t count, unsure_count;
    int status;
    struct ledger_line *lines = ledger_read(ledger_path, &count);
    struct ledger_line *unsure = unsure_of(lines, count, &unsure_count);
    long pause_us = 20000 + (long)draw(300000);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        srand((unsigned)getpid());
        live(phase, turn, unsure, unsure_count);
        abort();
    }
    if (phase == ANY_TIME) {
        struct timespec pause = { 0, pause_us * 1000 };
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        atomic_fetch_add(&shared->hits[ANY_TIME], 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s: the child ended with status %#x", phase_names[phase], (unsigned)status);
    free(unsure);
    free(lines);
}

static size_t count_events(const struct ledger_line *lines, size_t count, char event)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += lines[i].event == event;
    return found;
}

static const char *const views[] = {
    "SELECT count(*) FROM jobs",
    "SELECT count(DISTINCT id) FROM jobs",
    "SELECT count(*) FROM jobs WHERE status = 'done'",
    "SELECT count(*) FROM job_attempts",
    "SELECT count(*) FROM job_dependencies",
    "SELECT count(*) FROM dag_runs",
    "SELECT count(*) FROM dag_run_stats",
    "SELECT count(*) FROM dead_letter_queue",
    "SELECT count(*) FROM workers",
    "SELECT count(*) FROM queues",
};
#define VIEWS (sizeof(views) / sizeof(*views))

/* In a child, because a process that had DuckDB open must not fork users of it. */
static void read_plainly(void)
{
    size_t count;
    int status;
    struct ledger_line *lines = ledger_read(ledger_path, &count);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char copy[400];
        int64_t numbers[VIEWS];
        plain_copy(copy, sizeof(copy), store_path, folder);
        if (!plain_numbers(copy, views, numbers, VIEWS))
            _exit(2);
        if (numbers[0] != numbers[1] || (size_t)numbers[0] < count_events(lines, count, 'E') ||
            (size_t)numbers[2] < count_events(lines, count, 'A') || numbers[7] != 0) {
            fprintf(stderr, "jobs %ld, distinct %ld, done %ld; reported %zu, acknowledged %zu\n",
                    (long)numbers[0], (long)numbers[1], (long)numbers[2],
                    count_events(lines, count, 'E'), count_events(lines, count, 'A'));
            _exit(3);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("plain DuckDB on a copy: status %#x", (unsigned)status);
    free(lines);
}

struct summary {
    bool enqueued, needed, done;
    uint64_t acked, last_start, first_start, first_done;
    int acked_attempt;
};

static struct summary summary_of(const struct ledger_line *lines, size_t count)
{
    struct summary s = { .acked = UINT64_MAX, .first_start = UINT64_MAX, .first_done = UINT64_MAX };
    for (size_t i = 0; i < count; i++) {
        const struct ledger_line *line = &lines[i];
        switch (line->event) {
        case 'E':
            s.enqueued = true;
            break;
        case 'S':
            s.last_start = line->order;
            s.first_start = line->order < s.first_start ? line->order : s.first_start;
            break;
        case 'D':
            s.done = true;
            s.first_done = line->order < s.first_done ? line->order : s.first_done;
            break;
        case 'A':
            s.acked = line->order < s.acked ? line->order : s.acked;
            s.acked_attempt = line->number;
            break;
        default:
            break;
        }
    }
    return s;
}

static int compare_jobs(const void *a, const void *b)
{
    return qk_id_compare(((const qk_job *)a)->id, ((const qk_job *)b)->id);
}

static void check_job(const qk_job_list *jobs, qk_id id, const struct summary *s)
{
    char text[QK_ID_TEXT_SIZE], expected[64];
    qk_job key = { .id = id };
    qk_id_format(text, id);
    const qk_job *job = bsearch(&key, jobs->items, jobs->count, sizeof(*job), compare_jobs);
    if (s->enqueued && !s->done)
        fail_msg("job %s was reported, and never done; now it is %s", text,
                 job ? qk_job_status_name(job->status) : "not there");
    if (s->acked != UINT64_MAX && s->last_start > s->acked)
        fail_msg("job %s ran again after its report was durable", text);
    if (!s->enqueued)
        return;
    if (!job)
        fail_msg("job %s was reported, and is not there", text);
    assert_int_equal(job->status, QK_JOB_DONE);
    snprintf(expected, sizeof(expected), "{\"attempt\":%d}", s->acked_attempt);
    if (s->acked != UINT64_MAX)
        assert_string_equal(job->result, expected);
}

/* `lines` in the ledger's order: a parent's line follows its child's. */
static void check_order(const struct ledger_line *lines, size_t count)
{
    size_t sorted_count;
    struct ledger_line *sorted = ledger_read(ledger_path, &sorted_count);
    ledger_sort(sorted, sorted_count);
    for (size_t i = 0; i + 1 < count; i++) {
        struct summary both[2];
        if (lines[i].event != 'N' || lines[i].number != 0)
            continue;
        for (int j = 0; j < 2; j++) {
            size_t low = 0, high = sorted_count, end;
            while (low < high) {
                size_t middle = (low + high) / 2;
                if (qk_id_compare(sorted[middle].id, lines[i + (size_t)j].id) < 0)
                    low = middle + 1;
                else
                    high = middle;
            }
            for (end = low;
                 end < sorted_count && qk_id_compare(sorted[end].id, lines[i + (size_t)j].id) == 0;
                 end++) {
            }
            both[j] = summary_of(sorted + low, end - low);
        }
        if (both[0].first_start < both[1].first_done)
            fail_msg("a child started before its parent was done");
    }
    free(sorted);
}

static void compare_ledger(void)
{
    size_t count, jobs = 0, acked = 0, again = 0;
    qk_error err = QK_ERROR_INIT;
    qk_queue *queue = NULL;
    qk_job_list *list = NULL;
    qk_job_filter everything = QK_JOB_FILTER_INIT;
    struct ledger_line *lines = ledger_read(ledger_path, &count);
    everything.limit = 1000000;
    if (qk_queue_open(&queue, store_path, NULL, &err) != QK_OK ||
        qk_job_list_get(&list, queue, &everything, &err) != QK_OK)
        fail_msg("%s", err.message);
    qsort(list->items, list->count, sizeof(*list->items), compare_jobs);
    check_order(lines, count);
    ledger_sort(lines, count);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && qk_id_compare(lines[i].id, lines[end].id) == 0; end++)
            again += end > i && lines[end].event == 'S' && lines[end].number > 1;
        struct summary s = summary_of(lines + i, end - i);
        check_job(list, lines[i].id, &s);
        jobs += s.enqueued;
        acked += s.acked != UINT64_MAX;
    }
    qk_job_list_free(list);
    qk_queue_close(queue);
    free(lines);
    print_message("%zu jobs reported, %zu acknowledged, %zu starts repeated\n", jobs, acked, again);
    assert_true(jobs > 0);
}

static void test_kill__forty_rounds(void **state)
{
    (void)state;
    unsigned turn = 0;
    for (unsigned i = 0; i < ROUNDS_PER_PHASE; i++) {
        for (int phase = 0; phase < PHASES; phase++) {
            round_of((enum phase)phase, i);
            if (++turn % 5 == 0)
                read_plainly();
        }
    }
    for (int phase = 0; phase < PHASES; phase++)
        print_message("%-28s %d rounds\n", phase_names[phase], atomic_load(&shared->hits[phase]));
    for (int phase = 0; phase < PHASES; phase++)
        assert_int_equal(atomic_load(&shared->hits[phase]), ROUNDS_PER_PHASE);

    size_t count, unsure_count;
    struct ledger_line *lines = ledger_read(ledger_path, &count);
    struct ledger_line *unsure = unsure_of(lines, count, &unsure_count);
    struct load load = { .path = store_path, .unsure = unsure, .unsure_count = unsure_count };
    assert_true(ledger_open(&load.ledger, ledger_path));
    load_open(&load);
    load_drain(&load);
    ledger_close(&load.ledger);
    free(unsure);
    free(lines);
    compare_ledger();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill__forty_rounds),
    };
    const char *tmp = getenv("TMPDIR"), *seed = getenv("SEED");
    unsigned number = seed ? (unsigned)atoi(seed) : (unsigned)time(NULL);
    printf("SEED=%u\n", number);
    srand(number);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(folder, sizeof(folder), "%.200s/kill-XXXXXX", tmp ? tmp : "/tmp");
    if (shared == MAP_FAILED || !mkdtemp(folder))
        return 1;
    snprintf(store_path, sizeof(store_path), "%s/jobs.duckdb", folder);
    snprintf(ledger_path, sizeof(ledger_path), "%s/ledger", folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
