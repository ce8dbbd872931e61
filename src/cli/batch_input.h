/*
 * The lines of a batch file, read twice: once to check them, once to enqueue them. What cannot be
 * read twice (a pipe) is copied to an unlinked temporary file first. One buffer; a line lives until
 * the next batch_input_fill.
 */
#ifndef CLI_BATCH_INPUT_H
#define CLI_BATCH_INPUT_H

#include <stdint.h>
#include <sys/types.h>

#include "cli.h"
#include "sha256.h"

typedef struct batch_input {
    int fd;
    char *buffer;
    size_t start, end, capacity;
    bool at_end; /* the file is read to its end */
    uint64_t line; /* number of the line handed out last, from 1 */
    sha256 *hash; /* every byte read is added, unless NULL */
} batch_input;

/* `path` "-": standard input. */
qk_status batch_input_open(batch_input *out, const char *path, qk_error *err);
void batch_input_close(batch_input *input);
qk_status batch_input_rewind(batch_input *input, qk_error *err);
/* Reads on. Lines handed out before are void. QK_EMPTY when nothing is left. */
qk_status batch_input_fill(batch_input *input, qk_error *err);
/* The next whole line in the buffer, without its end; false when there is none. */
bool batch_input_line(batch_input *input, char **text, size_t *length);

#endif
