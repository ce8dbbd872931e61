/*
 * UTF-8; see utf8.h. The table of well-formed sequences of the Unicode standard (3.9, table 3-7):
 * only the second byte's range depends on the first.
 */
#include "util/utf8.h"

#include <stdint.h>

static size_t continuation_count(uint8_t lead, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *low = 0xA0;
        if (lead == 0xED)
            *high = 0x9F;
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *low = 0x90;
        if (lead == 0xF4)
            *high = 0x8F;
        return 3;
    }
    return 0;
}

size_t qk__utf8_sequence(const char *text, size_t left)
{
    const uint8_t *bytes = (const uint8_t *)text;
    uint8_t low, high;

    if (left == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    size_t more = continuation_count(bytes[0], &low, &high);
    if (more == 0 || more >= left || bytes[1] < low || bytes[1] > high)
        return 0;
    for (size_t i = 2; i <= more; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    }
    return more + 1;
}
