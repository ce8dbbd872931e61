/*
 * "Did you mean": the nearest of some words by edit distance, adjacent swaps counting as one.
 */
#include <string.h>

#include "cli.h"

#define MAX_WORD 40

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table; words beyond MAX_WORD are far from everything. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][MAX_WORD + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > MAX_WORD || b_length > MAX_WORD)
        return MAX_WORD;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *now = rows[i % 3];
        size_t *before = rows[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            now[j] =
                least(least(now[j - 1], before[j]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], rows[(i + 1) % 3][j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void cli_nearest_try(cli_nearest *nearest, const char *candidate)
{
    size_t distance = edit_distance(nearest->word, candidate);
    size_t length = strlen(nearest->word);
    if (length >= 3 && strncmp(candidate, nearest->word, length) == 0)
        distance = 1; /* the beginning of a word */
    if (!nearest->best || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

const char *cli_nearest_found(const cli_nearest *nearest)
{
    size_t length = strlen(nearest->word);
    size_t most = length <= 3 ? 1 : length <= 6 ? 2 : 3;
    return nearest->best && nearest->distance <= most ? nearest->best : NULL;
}
