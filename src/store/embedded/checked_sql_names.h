/*
 * What people's SQL may call and read, as sorted lists.
 */
#ifndef QK_STORE_EMBEDDED_CHECKED_SQL_NAMES_H
#define QK_STORE_EMBEDDED_CHECKED_SQL_NAMES_H

#include <stdbool.h>

/* Scalar, aggregate and window functions, and operators by DuckDB's names for them. Case does not
 * matter. Not in the list: whatever reads files, settings, the catalogue or the environment, runs
 * text as SQL, sleeps, or writes. */
bool qk__sql_function_listed(const char *name);

/* Table functions in FROM. */
bool qk__sql_table_function_listed(const char *name);

/* Kinds of nodes of a parsed statement: expression classes, and types of table references, query
 * nodes and modifiers. */
bool qk__sql_class_listed(const char *name);
bool qk__sql_type_listed(const char *name);

/* Names that a common table expression must not take, as a second fence: tables and views of the
 * file and of DuckDB's catalogue. */
bool qk__sql_name_reserved(const char *name);

#endif
