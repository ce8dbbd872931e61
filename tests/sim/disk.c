/*
 * The model disk; see disk.h. Each function says in a loop what journal_*.c say in SQL.
 */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

static void *grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (grown == NULL) {
        abort();
    }
    return grown;
}

bool same_id(qk_id a, qk_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct disk *disk_new(void)
{
    struct disk *disk = grow(NULL, sizeof *disk);
    memset(disk, 0, sizeof *disk);
    return disk;
}

static void table_clear(struct disk_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->rows[i].text);
    }
    table->count = 0;
}

void disk_table_free(struct disk_table *table)
{
    table_clear(table);
    free(table->rows);
    memset(table, 0, sizeof *table);
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) {
        return;
    }
    disk_table_free(&disk->journal[0]);
    disk_table_free(&disk->journal[1]);
    disk_table_free(&disk->history);
    disk_table_free(&disk->attempts);
    disk_table_free(&disk->edges);
    free(disk);
}

#define TEXTS 9

static qk__text *text_at(qk__row *row, int which)
{
    qk__text *texts[TEXTS] = { &row->node,    &row->kind,       &row->queue,
                               &row->payload, &row->claimed_by, &row->result,
                               &row->error,   &row->log_tail,   &row->ext };
    return texts[which];
}

static void add_row(struct disk_table *table, const qk__row *row, uint64_t batch)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity * 2 + 32;
        table->rows = grow(table->rows, table->capacity * sizeof *table->rows);
    }
    struct disk_row *own = &table->rows[table->count++];
    *own = (struct disk_row){ .row = *row, .batch = batch };
    size_t size = 0;
    for (int i = 0; i < TEXTS; i++) {
        size += text_at(&own->row, i)->length;
    }
    char *at = own->text = grow(NULL, size + (size == 0));
    for (int i = 0; i < TEXTS; i++) {
        qk__text *text = text_at(&own->row, i);
        if (text->data != NULL) {
            memcpy(at, text->data, text->length);
            text->data = at;
            at += text->length;
        }
    }
}

static void remove_row(struct disk_table *table, size_t at)
{
    free(table->rows[at].text);
    table->rows[at] = table->rows[--table->count];
}

void disk_copy_rows(struct disk_table *out, const qk__cut *cut)
{
    for (size_t i = 0; i < cut->count; i++) {
        add_row(out, &cut->rows[i], cut->batch);
    }
}

static const qk__row *find_payload(const struct disk_table *table, qk_id id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].row.op == QK__OP_PAYLOAD && same_id(table->rows[i].row.id, id)) {
            return &table->rows[i].row;
        }
    }
    return NULL;
}

const char *disk_commit(struct disk *disk, const qk__cut *cut)
{
    struct disk_table *active = &disk->journal[disk->active];
    if (cut->batch <= disk_last_batch(disk)) {
        return "a batch number does not rise";
    }
    for (size_t i = 0; i < cut->reopened_count; i++) {
        for (size_t k = disk->history.count; k-- > 0;) {
            if (same_id(disk->history.rows[k].row.id, cut->reopened[i])) {
                remove_row(&disk->history, k);
            }
        }
    }
    for (size_t i = 0; i < cut->carried_count; i++) {
        qk_id id = cut->carried_payloads[i];
        const qk__row *payload = find_payload(&disk->journal[!disk->active], id);
        if (payload == NULL && find_payload(active, id) != NULL) {
            continue; /* an owner that died while it carried had copied it already */
        }
        if (payload != NULL) {
            add_row(active, payload, cut->batch);
        } else if (find_payload(active, id) == NULL) {
            return "a carried payload is in neither journal"; /* a carry may begin again */
        }
    }
    disk_copy_rows(active, cut);
    return NULL;
}

static uint64_t table_last(const struct disk_table *table)
{
    uint64_t last = 0;
    for (size_t i = 0; i < table->count; i++) {
        last = table->rows[i].batch > last ? table->rows[i].batch : last;
    }
    return last;
}

uint64_t disk_last_batch(const struct disk *disk)
{
    uint64_t last = table_last(&disk->history);
    for (int i = 0; i < 2; i++) {
        uint64_t other = table_last(&disk->journal[i]);
        last = other > last ? other : last;
    }
    return last;
}

bool disk_unsettled(const struct disk *disk)
{
    return disk->journal[!disk->active].count > 0;
}

void disk_turn(struct disk *disk)
{
    disk->active = !disk->active;
}

void disk_reopen(struct disk *disk)
{
    disk->active = table_last(&disk->journal[1]) > table_last(&disk->journal[0]);
}

static bool is_void(const struct disk *disk, const struct disk_row *ended)
{
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < disk->journal[t].count; i++) {
            const struct disk_row *row = &disk->journal[t].rows[i];
            if (row->row.op == QK__OP_REOPEN && row->batch > ended->batch &&
                same_id(row->row.id, ended->row.id)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_end(const struct disk_row *row)
{
    return row->row.op <= QK__OP_REOPEN && qk_job_status_is_terminal(row->row.status);
}

static bool has_edge(const struct disk_table *table, const qk__row *edge)
{
    for (size_t i = 0; i < table->count; i++) {
        const qk__row *row = &table->rows[i].row;
        if (row->op == QK__OP_EDGE && same_id(row->id, edge->id) &&
            same_id(row->related, edge->related)) {
            return true;
        }
    }
    return false;
}

static void settle_row(struct disk *disk, const struct disk_row *from)
{
    const struct disk_table *settled = &disk->journal[!disk->active];
    if (is_end(from) && !is_void(disk, from)) {
        qk__row row = from->row;
        const qk__row *payload = row.payload.data == NULL ? find_payload(settled, row.id) : NULL;
        row.payload = payload == NULL ? row.payload : payload->payload;
        add_row(&disk->history, &row, from->batch);
    } else if (from->row.op == QK__OP_ATTEMPT) {
        add_row(&disk->attempts, &from->row, from->batch);
    } else if (from->row.op == QK__OP_EDGE && !has_edge(&disk->journal[disk->active], &from->row)) {
        add_row(&disk->edges, &from->row, from->batch);
    }
}

static uint64_t table_first(const struct disk_table *table)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < table->count; i++) {
        bool waits = table->rows[i].row.op != QK__OP_PAYLOAD;
        first = waits && table->rows[i].batch < first ? table->rows[i].batch : first;
    }
    return first;
}

/* Large payloads stay to the end: the image that needs one may come later. */
bool disk_settle(struct disk *disk, uint64_t batches)
{
    struct disk_table *settled = &disk->journal[!disk->active];
    uint64_t first = table_first(settled);
    uint64_t last = batches > UINT64_MAX - first ? UINT64_MAX : first + batches - 1;
    size_t kept = 0;
    for (size_t i = 0; i < settled->count; i++) {
        if (settled->rows[i].batch <= last) {
            settle_row(disk, &settled->rows[i]);
        }
    }
    for (size_t i = 0; i < settled->count; i++) {
        if (settled->rows[i].batch <= last && settled->rows[i].row.op != QK__OP_PAYLOAD) {
            free(settled->rows[i].text);
        } else {
            settled->rows[kept++] = settled->rows[i];
        }
    }
    settled->count = kept;
    if (table_first(settled) != UINT64_MAX) {
        return false;
    }
    table_clear(settled);
    return true;
}

const qk__row *disk_ended(const struct disk *disk, qk_id id, size_t *copies)
{
    const qk__row *found = NULL;
    size_t count = 0;
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < disk->journal[t].count; i++) {
            const struct disk_row *row = &disk->journal[t].rows[i];
            if (is_end(row) && same_id(row->row.id, id) && !is_void(disk, row)) {
                found = &row->row;
                count++;
            }
        }
    }
    for (size_t i = 0; i < disk->history.count; i++) {
        if (same_id(disk->history.rows[i].row.id, id)) {
            found = &disk->history.rows[i].row;
            count++;
        }
    }
    if (copies != NULL) {
        *copies = count;
    }
    return found;
}

static bool is_attempt(const qk__row *row, const qk_lease *lease)
{
    return same_id(row->id, lease->job) && row->attempt == lease->attempt &&
           row->claimed_by.data != NULL && row->claimed_by.length == strlen(lease->worker_id) &&
           memcmp(row->claimed_by.data, lease->worker_id, row->claimed_by.length) == 0;
}

static qk__attempt_outcome look_for(const struct disk_table *table, const qk_lease *lease)
{
    for (size_t i = 0; i < table->count; i++) {
        const qk__row *row = &table->rows[i].row;
        if (row->op == QK__OP_ATTEMPT && is_attempt(row, lease)) {
            return row->status;
        }
    }
    return QK__ATTEMPT_RUNNING;
}

qk__attempt_outcome disk_attempt(const struct disk *disk, const qk_lease *lease, int max_lost)
{
    const struct disk_table *tables[] = { &disk->journal[0], &disk->journal[1], &disk->attempts };
    for (int i = 0; i < 3; i++) {
        qk__attempt_outcome outcome = look_for(tables[i], lease);
        if (outcome != QK__ATTEMPT_RUNNING) {
            return outcome;
        }
    }
    const qk__row *ended = disk_ended(disk, lease->job, NULL);
    int64_t lost = 0;
    if (ended == NULL || !is_attempt(ended, lease)) {
        return QK__ATTEMPT_RUNNING;
    }
    if (ended->status == QK_JOB_DONE) {
        return QK__ATTEMPT_DONE;
    }
    (void)disk_ext_number(ended, "lo", &lost);
    if (ended->status == QK_JOB_FAILED) {
        return lost >= max_lost ? QK__ATTEMPT_LOST : QK__ATTEMPT_FAILED;
    }
    return QK__ATTEMPT_CANCELLED;
}

qk__text disk_payload(const struct disk *disk, qk_id id)
{
    const qk__row *row = find_payload(&disk->journal[disk->active], id);
    row = row == NULL ? find_payload(&disk->journal[!disk->active], id) : row;
    return row == NULL ? (qk__text){ NULL, 0 } : row->payload;
}

size_t disk_parents(const struct disk *disk, qk_id child, qk_id *out, size_t room)
{
    const struct disk_table *tables[] = { &disk->journal[0], &disk->journal[1], &disk->edges };
    size_t count = 0;
    for (int t = 0; t < 3; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const qk__row *row = &tables[t]->rows[i].row;
            bool known = row->op != QK__OP_EDGE || !same_id(row->id, child);
            for (size_t k = 0; k < count && !known; k++) {
                known = same_id(out[k], row->related);
            }
            if (!known && count < room) {
                out[count++] = row->related;
            }
        }
    }
    return count;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(qk_id));
}

static void copy_text(char *out, qk__text text)
{
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
}

static void fill_cold(qk__cold_job *job, const qk__row *row)
{
    char reason[64];
    job->found = true;
    job->status = row->status;
    job->cause_order = row->finished_us;
    (void)disk_ext_number(row, "ct", &job->cause_order);
    copy_text(job->kind, row->kind);
    copy_text(job->queue, row->queue);
    job->continue_on_failure =
        row->ext.data != NULL && memmem(row->ext.data, row->ext.length, "\"cf\":true", 9) != NULL;
    if (disk_ext_text(row, "sr", reason, sizeof reason) &&
        strncmp(reason, "parent_failed:", 14) == 0) {
        (void)qk_id_parse(&job->cause, reason + 14);
    }
}

qk__cold_job *disk_cold(const struct disk *disk, const qk_id *ids, size_t count, size_t *found)
{
    qk__cold_job *jobs = grow(NULL, (count + 1) * sizeof *jobs);
    size_t kept = 0;
    memset(jobs, 0, (count + 1) * sizeof *jobs);
    for (size_t i = 0; i < count; i++) {
        jobs[i].id = ids[i];
    }
    qsort(jobs, count, sizeof *jobs, by_id);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && same_id(jobs[i].id, jobs[kept - 1].id)) {
            continue;
        }
        jobs[kept] = jobs[i];
        const qk__row *row = disk_ended(disk, jobs[kept].id, NULL);
        if (row != NULL) {
            fill_cold(&jobs[kept], row);
        }
        kept++;
    }
    *found = kept;
    return jobs;
}

static const char *ext_find(const qk__row *row, const char *key)
{
    char pattern[8] = "\"";
    size_t length = strlen(key);
    memcpy(pattern + 1, key, length);
    memcpy(pattern + 1 + length, "\":", 2);
    if (row->ext.data == NULL) {
        return NULL;
    }
    const char *at = memmem(row->ext.data, row->ext.length, pattern, length + 3);
    return at == NULL ? NULL : at + length + 3;
}

bool disk_ext_number(const qk__row *row, const char *key, int64_t *out)
{
    const char *at = ext_find(row, key);
    const char *end = at == NULL ? NULL : row->ext.data + row->ext.length;
    int64_t value = 0;
    for (; at != NULL && at < end && *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (*at - '0');
    }
    if (at != NULL) {
        *out = value;
    }
    return at != NULL;
}

bool disk_ext_text(const qk__row *row, const char *key, char *out, size_t size)
{
    const char *at = ext_find(row, key);
    if (at == NULL || *at != '"') {
        return false;
    }
    size_t length = 0;
    for (at++; at[length] != '"' && length + 1 < size; length++) {
        out[length] = at[length];
    }
    out[length] = '\0';
    return true;
}
