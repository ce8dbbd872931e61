/*
 * Version of the library, and the export macro.
 */
#ifndef QUEUACK_VERSION_H
#define QUEUACK_VERSION_H

#define QK_VERSION_MAJOR 0
#define QK_VERSION_MINOR 1
#define QK_VERSION_PATCH 0
#define QK_VERSION_STRING "0.1.0"

#if defined(__GNUC__)
#define QK_API __attribute__((visibility("default")))
#define QK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define QK_API
#define QK_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" of the library linked at run time; static. */
QK_API const char *qk_version(void);

/* Version of the DuckDB library in use, for example "v1.5.6"; static. */
QK_API const char *qk_store_library_version(void);

#ifdef __cplusplus
}
#endif
#endif
