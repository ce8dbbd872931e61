/*
 * The allow-list over a parsed statement; see checked_sql.h.
 *
 * DuckDB parses (json_serialize_sql, the text as a bound parameter) and hands out the tree as JSON.
 * Every object in it that is an expression (has "class") or a node, table reference or modifier
 * (has "type") must be of a listed kind; what is unknown is refused, so that a newer DuckDB's new
 * syntax is refused until it has been looked at. A table's name must be a published view or a common
 * table expression in scope. Scope follows DuckDB's binder: an expression sees the earlier ones of
 * its list, and itself only in the recursive half. No state; any thread with a connection.
 */
#include "store/embedded/checked_sql.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/embedded/checked_sql_names.h"
#include "store/embedded/views.h"
#include "util/buffer.h"
#include "util/error.h"

#define TEXT_MAX 262144
#define DEPTH_MAX 800
#define SCOPE_MAX 128

typedef struct walk {
    const char *scope[SCOPE_MAX]; /* names of common table expressions, innermost last */
    size_t scope_count;
    int depth;
    qk_error *err;
} walk;

static qk_status check(walk *w, const json_t *value);

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool in_scope(const walk *w, const char *name)
{
    for (size_t i = 0; i < w->scope_count; i++) {
        if (strcasecmp(w->scope[i], name) == 0)
            return true;
    }
    return false;
}

static qk_status refuse_table(walk *w, const char *name)
{
    return qk__error(w->err, QK_EREFUSED, "\"%.200s\" is not a view of the store: use %s", name,
                     qk__views_list());
}

static qk_status check_table(walk *w, const json_t *table)
{
    const char *name = text_of(table, "table_name");
    const char *schema = text_of(table, "schema_name"), *catalog = text_of(table, "catalog_name");
    if (json_is_object(json_object_get(table, "at_clause")))
        return qk__error(w->err, QK_EREFUSED, "AT is not allowed here: leave it out");
    if (!*schema && !*catalog && in_scope(w, name))
        return QK_OK;
    bool plain = !*catalog &&
                 (!*schema || strcasecmp(schema, "main") == 0 || strcasecmp(schema, "temp") == 0);
    return plain && qk__views_published(name) ? QK_OK : refuse_table(w, name);
}

static qk_status check_call(walk *w, const json_t *call, bool table)
{
    const char *name = text_of(call, "function_name");
    const char *schema = text_of(call, "schema"), *catalog = text_of(call, "catalog");
    bool listed = table ? qk__sql_table_function_listed(name) : qk__sql_function_listed(name);
    if (listed && !*catalog && (!*schema || strcmp(schema, "main") == 0))
        return QK_OK;
    if (table)
        return qk__error(w->err, QK_EREFUSED,
                         "the table function \"%.200s\" is not allowed here: use range, "
                         "generate_series, unnest, json_each, json_tree, or the views %s",
                         name, qk__views_list());
    return qk__error(w->err, QK_EREFUSED,
                     "the function \"%.200s\" is not allowed here: use plain functions on values, "
                     "without a schema",
                     name);
}

/* A name that DuckDB could not take for a file if it were looked up. */
static bool plain_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';
        if (!letter && (c == name || *c < '0' || *c > '9'))
            return false;
    }
    return *name != '\0';
}

static qk_status push(walk *w, const char *name)
{
    if (!plain_name(name) || qk__sql_name_reserved(name))
        return qk__error(
            w->err, QK_EREFUSED,
            "\"%.200s\" is not allowed as a name after WITH: use letters, digits and _", name);
    if (w->scope_count == SCOPE_MAX)
        return qk__error(w->err, QK_EREFUSED, "too many names after WITH: use fewer");
    w->scope[w->scope_count++] = name;
    return QK_OK;
}

/* Both halves of a recursive expression: only the second sees its own name. */
static qk_status check_recursive(walk *w, const json_t *node, const char *name)
{
    const char *key;
    json_t *value;
    size_t before = w->scope_count;
    qk_status rc = check(w, json_object_get(node, "left"));
    if (!rc)
        rc = push(w, name);
    json_object_foreach((json_t *)(uintptr_t)node, key, value)
    {
        if (!rc && strcmp(key, "left") != 0)
            rc = check(w, value);
    }
    w->scope_count = before;
    return rc;
}

/* One "name AS (…)" of WITH; afterwards the name is in scope. */
static qk_status check_with(walk *w, const json_t *entry)
{
    const char *name = text_of(entry, "key");
    const json_t *info = json_object_get(entry, "value");
    const json_t *node = json_object_get(json_object_get(info, "query"), "node");
    if (!node)
        return qk__error(w->err, QK_EREFUSED, "this form of WITH is not allowed here");
    qk_status rc = strcmp(text_of(node, "type"), "RECURSIVE_CTE_NODE") == 0
                       ? check_recursive(w, node, name)
                       : check(w, node);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)info, key, value)
    {
        if (!rc && strcmp(key, "query") != 0)
            rc = check(w, value);
    }
    return rc ? rc : push(w, name);
}

/* Values without anything to run: constants, types, sizes of samples. */
static bool skipped(const json_t *object, const char *key)
{
    return strcmp(key, "cast_type") == 0 || strcmp(key, "sample") == 0 ||
           strcmp(key, "expected_types") == 0 || strcmp(key, "cte_map") == 0 ||
           (strcmp(key, "value") == 0 && strcmp(text_of(object, "class"), "CONSTANT") == 0);
}

static qk_status check_children(walk *w, const json_t *object, const char *except)
{
    size_t before = w->scope_count, i;
    const char *key;
    json_t *value;
    qk_status rc = QK_OK;
    const json_t *map = json_object_get(json_object_get(object, "cte_map"), "map");
    json_array_foreach(map, i, value)
    {
        if (!rc)
            rc = check_with(w, value);
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!rc && !skipped(object, key) && !(except && strcmp(key, except) == 0))
            rc = check(w, value);
    }
    w->scope_count = before;
    return rc;
}

static qk_status check_expression(walk *w, const json_t *expression)
{
    const char *class = text_of(expression, "class");
    if (strcmp(class, "PARAMETER") == 0)
        return qk__error(w->err, QK_EREFUSED,
                         "parameters ($1, ?) are not allowed here: write the value");
    if (!qk__sql_class_listed(class))
        return qk__error(w->err, QK_EREFUSED, "expressions of the kind %.60s are not allowed here",
                         class);
    bool call = strcmp(class, "FUNCTION") == 0 || strcmp(class, "WINDOW") == 0;
    qk_status rc = call ? check_call(w, expression, false) : QK_OK;
    return rc ? rc : check_children(w, expression, NULL);
}

static qk_status check_node(walk *w, const json_t *node)
{
    const char *type = text_of(node, "type");
    if (strcmp(type, "SHOW_REF") == 0)
        return qk__error(w->err, QK_EREFUSED,
                         "DESCRIBE, SHOW and SUMMARIZE are not allowed here: use SELECT");
    if (strcmp(type, "PIVOT") == 0)
        return qk__error(w->err, QK_EREFUSED,
                         "PIVOT is not allowed here: use count(*) FILTER (WHERE …)");
    if (!qk__sql_type_listed(type))
        return qk__error(w->err, QK_EREFUSED, "%.60s is not allowed here: use a plain SELECT",
                         type);
    if (strcmp(type, "BASE_TABLE") == 0)
        return check_table(w, node);
    if (strcmp(type, "TABLE_FUNCTION") != 0)
        return check_children(w, node, NULL);
    const json_t *call = json_object_get(node, "function");
    if (strcmp(text_of(call, "class"), "FUNCTION") != 0)
        return qk__error(w->err, QK_EREFUSED, "this table function is not allowed here");
    qk_status rc = check_call(w, call, true);
    if (!rc)
        rc = check_children(w, call, NULL);
    return rc ? rc : check_children(w, node, "function");
}

static qk_status check_array(walk *w, const json_t *array)
{
    size_t i;
    json_t *value;
    qk_status rc = QK_OK;
    json_array_foreach(array, i, value)
    {
        if (!rc)
            rc = check(w, value);
    }
    return rc;
}

static qk_status check(walk *w, const json_t *value)
{
    qk_status rc = QK_OK;
    if (!json_is_object(value) && !json_is_array(value))
        return QK_OK;
    if (++w->depth > DEPTH_MAX)
        rc = qk__error(w->err, QK_EREFUSED, "the query is nested too deeply: make it simpler");
    else if (json_is_array(value))
        rc = check_array(w, value);
    else if (json_object_get(value, "class"))
        rc = check_expression(w, value);
    else if (json_object_get(value, "type"))
        rc = check_node(w, value);
    else
        rc = check_children(w, value, NULL);
    w->depth--;
    return rc;
}

static qk_status check_tree(const json_t *tree, qk_error *err)
{
    walk w = { .scope_count = 0, .err = err };
    const json_t *statements = json_object_get(tree, "statements");
    if (json_is_true(json_object_get(tree, "error"))) {
        if (strcmp(text_of(tree, "error_type"), "not implemented") == 0)
            return qk__error(err, QK_EREFUSED, "only a SELECT is allowed here: it may read %s",
                             qk__views_list());
        return qk__error(err, QK_EINVAL, "the query does not parse: %.300s",
                         text_of(tree, "error_message"));
    }
    if (json_array_size(statements) != 1)
        return qk__error(err, QK_EREFUSED, "one SELECT is allowed here, not %zu statements",
                         json_array_size(statements));
    const json_t *node = json_object_get(json_array_get(statements, 0), "node");
    if (!node)
        return qk__error(err, QK_EREFUSED, "only a SELECT is allowed here");
    return check_children(&w, json_array_get(statements, 0), NULL);
}

static const char too_complex[] = "the query cannot be checked: make it simpler";

/* The tree as JSON text, malloc'd. */
static qk_status serialize(char **out, duckdb_connection connection, const char *sql, qk_error *err)
{
    duckdb_prepared_statement statement = NULL;
    duckdb_result result = { 0 };
    qk_status rc = QK_EREFUSED;
    *out = NULL;
    if (duckdb_prepare(connection, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", &statement) ==
            DuckDBSuccess &&
        duckdb_bind_varchar(statement, 1, sql) == DuckDBSuccess &&
        duckdb_execute_prepared(statement, &result) == DuckDBSuccess) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
            duckdb_string_t *string =
                duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
            *out = qk__dup_text(duckdb_string_t_data(string), duckdb_string_t_length(*string));
            rc = *out ? QK_OK : QK_ENOMEM;
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&result);
    duckdb_destroy_prepare(&statement);
    if (rc == QK_ENOMEM)
        return qk__error(err, rc, "out of memory: ask for less at once");
    return rc ? qk__error(err, rc, "%s", too_complex) : QK_OK;
}

qk_status qk__checked_sql(duckdb_connection connection, const char *sql, qk_error *err)
{
    if (strlen(sql) > TEXT_MAX)
        return qk__error(err, QK_EINVAL, "the query is longer than %d bytes: make it shorter",
                         TEXT_MAX);
    char *text;
    qk_status rc = serialize(&text, connection, sql, err);
    if (rc)
        return rc;
    /* Some positions in it are 2^64 - 1, more than an integer of jansson's holds. */
    json_error_t why;
    json_t *tree = json_loads(text, JSON_DECODE_INT_AS_REAL, &why);
    free(text);
    if (!tree && json_error_code(&why) == json_error_out_of_memory)
        return qk__error(err, QK_ENOMEM, "out of memory: ask for less at once");
    if (!tree)
        return qk__error(err, QK_EREFUSED, "%s", too_complex);
    rc = check_tree(tree, err);
    json_decref(tree);
    return rc;
}
