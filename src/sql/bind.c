/*
 * JSON values as parameters of a statement. Text, whole numbers, other numbers, true and false, null;
 * lists and objects as their JSON text (`$x::JSON` in the statement). No state; any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "sql/child.h"
#include "util/error.h"

static duckdb_state bind_json(duckdb_prepared_statement statement, idx_t index, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    duckdb_state state = text ? duckdb_bind_varchar(statement, index, text) : DuckDBError;

    free(text);
    return state;
}

static duckdb_state bind_value(duckdb_prepared_statement statement, idx_t index, json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_NULL:
        return duckdb_bind_null(statement, index);
    case JSON_TRUE:
    case JSON_FALSE:
        return duckdb_bind_boolean(statement, index, json_is_true(value));
    case JSON_INTEGER:
        return duckdb_bind_int64(statement, index, json_integer_value(value));
    case JSON_REAL:
        return duckdb_bind_double(statement, index, json_real_value(value));
    case JSON_STRING:
        return duckdb_bind_varchar_length(statement, index, json_string_value(value),
                                          json_string_length(value));
    default:
        return bind_json(statement, index, value);
    }
}

static json_t *find_value(json_t *params, const char *name, idx_t index)
{
    if (json_is_object(params))
        return json_object_get(params, name);
    return json_array_get(params, index - 1);
}

qk_status bind_parameters(duckdb_prepared_statement statement, json_t *params, qk_error *err)
{
    idx_t count = duckdb_nparams(statement);

    for (idx_t i = 1; i <= count; i++) {
        const char *name = duckdb_parameter_name(statement, i);
        /* Numbered parameters are named by their number. */
        char *rest = NULL;
        unsigned long number = name ? strtoul(name, &rest, 10) : 0;
        idx_t place = rest && rest != name && !*rest ? number : i;
        json_t *value = find_value(params, name ? name : "", place);
        qk_status rc = QK_OK;
        if (!value)
            rc = qk__error(err, QK_EINVAL,
                           "there is no value for the parameter $%.100s: give it "
                           "in \"params\"",
                           name ? name : "?");
        else if (bind_value(statement, i, value) != DuckDBSuccess)
            rc = database_error(err, QK_EINVAL, duckdb_prepare_error(statement));
        duckdb_free((void *)(uintptr_t)name);
        if (rc != QK_OK)
            return rc;
    }
    return QK_OK;
}
