/*
 * Reading files from outside; see file.h.
 */
#include "util/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int qk__file_read(char **out, size_t *length, int fd, size_t size)
{
    size_t got = 0;
    char *text = malloc(size + 1);
    if (!text)
        return ENOMEM;
    while (got < size) {
        ssize_t some = read(fd, text + got, size - got);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0) {
            int number = errno;
            free(text);
            return number;
        }
        if (some == 0)
            break;
        got += (size_t)some;
    }
    text[got] = '\0';
    *out = text;
    *length = got;
    return 0;
}
