/*
 * The version of this library.
 */
#include <queuack/version.h>

const char *qk_version(void)
{
    return QK_VERSION_STRING;
}
