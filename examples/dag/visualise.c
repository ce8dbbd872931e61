/*
 * Pictures of a DAG: a definition read from JSON, with a sub-DAG in place and a wide fan-out, in
 * every theme. Give a folder to keep them: visualise DIR.
 */
#include <string.h>

#include "../example.h"

static const char head[] =
    "{\"name\":\"images\",\"nodes\":["
    "{\"name\":\"list\",\"command\":[\"find\",\"in\",\"-name\",\"*.jpg\"]},"
    "{\"name\":\"index\",\"sql\":\"CREATE TABLE t AS SELECT 1\",\"needs\":[\"list\"]},"
    "{\"name\":\"publish\",\"needs\":[\"index\"],\"when\":\"index.rows > 0\",\"dag\":"
    "{\"name\":\"publish\",\"nodes\":[{\"name\":\"upload\",\"kind\":\"upload\"},"
    "{\"name\":\"announce\",\"kind\":\"mail\",\"needs\":[\"upload\"]}]}}";

/* How the run stands: everything up to the index is done, one upload runs. */
static void look(void *user, qk_node_look *out, const char *path)
{
    (void)user;
    out->has_status = true;
    out->status = QK_JOB_PENDING;
    if (strcmp(path, "publish/upload") == 0) {
        out->status = QK_JOB_CLAIMED;
        out->note = "40 %";
    } else if (strncmp(path, "publish", 7) != 0) {
        out->status = QK_JOB_DONE;
    }
}

static qk_status add_resizing(qk_dag *dag, qk_error *err)
{
    static const char *const list[] = { "list" };
    qk_node_options options = QK_NODE_OPTIONS_INIT;
    char name[32];
    qk_status rc = QK_OK;
    options.after = list;
    options.after_count = 1;
    for (int i = 1; !rc && i <= 40; i++) {
        snprintf(name, sizeof(name), "resize %d", i);
        rc = qk_dag_add(dag, name, "resize", NULL, &options, err);
    }
    return rc;
}

static bool keep(const char *folder, const char *theme, const char *extension, const char *text)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/images-%s.%s", folder, theme, extension);
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text, file) >= 0;
    return file && fclose(file) == 0 && good;
}

static qk_status draw(qk_dag *dag, qk_theme theme, qk_picture_format format, const char *folder,
                      qk_error *err)
{
    static const char *const extensions[] = { "mmd", "dot", "json", "svg" };
    static const qk_colours brand = { "done", "#00695c", "#004d40", "#fff" };
    qk_picture_options options = QK_PICTURE_OPTIONS_INIT;
    char *text = NULL;
    options.format = format;
    options.theme = theme;
    options.colours = &brand;
    options.colour_count = theme == QK_THEME_DEFAULT ? 1 : 0;
    options.fold_fan_out = 10;
    options.look = look;
    qk_status rc = qk_dag_picture(&text, dag, &options, err);
    if (rc == QK_EUNSUPPORTED) /* a build without graphviz */
        return QK_OK;
    if (!rc && folder && !keep(folder, qk_theme_name(theme), extensions[format], text))
        fprintf(stderr, "cannot write to %s\n", folder);
    if (!rc && !folder && format == QK_PICTURE_MERMAID && theme == QK_THEME_DEFAULT)
        fputs(text, stdout);
    free(text);
    return rc;
}

static qk_status draw_all(const char *folder, qk_error *err)
{
    char json[sizeof(head) + 2];
    qk_dag *dag = NULL;
    snprintf(json, sizeof(json), "%s]}", head);
    qk_status rc = qk_dag_from_json(&dag, json, strlen(json), NULL, err);
    if (!rc)
        rc = add_resizing(dag, err);
    for (int theme = 0; !rc && theme < QK_THEME_COUNT; theme++) {
        for (int format = QK_PICTURE_MERMAID; !rc && format <= QK_PICTURE_SVG; format++)
            rc = draw(dag, (qk_theme)theme, (qk_picture_format)format, folder, err);
    }
    qk_dag_free(dag);
    return rc;
}

int main(int argc, char **argv)
{
    qk_error err = QK_ERROR_INIT;
    check(draw_all(argc > 1 ? argv[1] : NULL, &err), &err);
}
