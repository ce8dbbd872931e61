/*
 * The published JSON Schema against the loader's own tables: what one knows the other must know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <queuack/workflow.h>

#include "workflow/keys.h"

static json_t *load_schema(void)
{
    char path[4096];
    json_error_t problem;
    snprintf(path, sizeof(path), "%s/docs/workflow.schema.json", getenv("SOURCE_DIR"));
    json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (!schema)
        fail_msg("%s:%d: %s", path, problem.line, problem.text);
    return schema;
}

static void check_table(json_t *schema, const qk__keys *keys)
{
    json_t *definition = schema;
    if (*keys->definition)
        definition = json_object_get(json_object_get(schema, "definitions"), keys->definition);
    json_t *properties = json_object_get(definition, "properties");
    if (!properties)
        fail_msg("the schema has no definition \"%s\"", keys->definition);
    for (size_t i = 0; i < keys->count; i++) {
        const json_t *property = json_object_get(properties, keys->names[i]);
        if (!property)
            fail_msg("the schema knows no key \"%s\" of %s", keys->names[i], keys->what);
        if (!json_object_get(property, "description"))
            fail_msg("the schema does not describe \"%s\" of %s", keys->names[i], keys->what);
    }
    assert_int_equal(json_object_size(properties), keys->count);
    assert_true(json_is_false(json_object_get(definition, "additionalProperties")));
}

static void test_schema__has_the_loaders_keys(void **state)
{
    (void)state;
    json_t *schema = load_schema();
    for (size_t i = 0; qk__keys_all[i]; i++)
        check_table(schema, qk__keys_all[i]);
    json_decref(schema);
}

static void test_schema__has_the_modes_and_types(void **state)
{
    (void)state;
    json_t *schema = load_schema();
    json_t *definitions = json_object_get(schema, "definitions");
    json_t *task = json_object_get(json_object_get(definitions, "task"), "properties");
    json_t *param = json_object_get(json_object_get(definitions, "param"), "properties");
    json_t *modes = json_object_get(json_object_get(task, "mode"), "enum");
    json_t *types = json_object_get(json_object_get(param, "type"), "enum");
    for (int i = QK_MODE_ALL; i <= QK_MODE_NONE_FAILED; i++)
        assert_string_equal(json_string_value(json_array_get(modes, (size_t)i)),
                            qk_dependency_mode_name((qk_dependency_mode)i));
    for (int i = QK_PARAM_STRING; i <= QK_PARAM_OBJECT; i++)
        assert_string_equal(json_string_value(json_array_get(types, (size_t)i)),
                            qk_param_type_name((qk_param_type)i));
    assert_int_equal(json_array_size(modes), QK_MODE_NONE_FAILED + 1);
    assert_int_equal(json_array_size(types), QK_PARAM_OBJECT + 1);
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__has_the_loaders_keys),
        cmocka_unit_test(test_schema__has_the_modes_and_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
