/*
 * Ids of a batch; see batch_ids.h.
 */
#include "batch_ids.h"

#include <string.h>
#include <time.h>

/* A bijection of 64 bits that leaves no pattern (splitmix64). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

qk_id batch_id(const batch_ids *ids, uint64_t line)
{
    qk_id id;
    uint64_t tail = mix(ids->seed + line * UINT64_C(0x9E3779B97F4A7C15));
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(ids->time_ms >> (40 - 8 * i));
        id.bytes[10 + i] = (uint8_t)(tail >> (40 - 8 * i));
    }
    id.bytes[6] = (uint8_t)(0x70 | (line >> 22 & 0x0F));
    id.bytes[7] = (uint8_t)(line >> 14);
    id.bytes[8] = (uint8_t)(0x80 | (line >> 8 & 0x3F));
    id.bytes[9] = (uint8_t)line;
    return id;
}

qk_status batch_ids_resume(batch_ids *ids, cli *cli, uint64_t line)
{
    struct timespec now;
    char text[QK_ID_TEXT_SIZE];
    qk_job_list *list = NULL;
    qk_job_filter filter = QK_JOB_FILTER_INIT;
    clock_gettime(CLOCK_REALTIME, &now);
    ids->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    qk_id wanted = batch_id(ids, line);
    qk_id_format(text, wanted);
    filter.id_suffix = text + 24;
    filter.limit = 10;
    qk_status rc = qk_job_list_get(&list, cli->queue, &filter, &cli->err);
    for (size_t i = 0; !rc && i < list->count; i++) {
        const uint8_t *bytes = list->items[i].id.bytes;
        if (memcmp(bytes + 6, wanted.bytes + 6, 10) != 0)
            continue;
        ids->found = true;
        ids->time_ms = 0;
        for (int b = 0; b < 6; b++)
            ids->time_ms = ids->time_ms << 8 | bytes[b];
    }
    qk_job_list_free(list);
    return rc;
}
