/*
 * Reading files from outside.
 */
#ifndef QK_UTIL_FILE_H
#define QK_UTIL_FILE_H

#include <stddef.h>

/* Up to `size` bytes of the file, fewer if it ends before, as a string; NUL bytes may stand in it.
 * free() it. Returns 0 or an errno, ENOMEM among them. */
int qk__file_read(char **out, size_t *length, int fd, size_t size);

#endif
