/*
 * See run_select.h. The definition is rewritten as text: nodes that were not asked for go, and where
 * their names stand in `needs` the ids of jobs take their place. Values find what a parent left by the
 * name of its node, which those jobs have kept. A condition may only name nodes of the DAG, and who
 * asks for a task wants it to run: it goes from tasks with such a parent.
 */
#include "run_select.h"

#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "sql_text.h"
#include "text.h"

typedef struct selection {
    cli *cli;
    qk_dag *dag;
    bool *chosen; /* by node */
    char (*left)[QK_ID_TEXT_SIZE]; /* by node: the job of an earlier run, or "" */
    char **quoted; /* by node: its name as JSON */
    FILE *out;
} selection;

bool run_select_wanted(const cli *cli)
{
    return cli_has(cli, "only") || cli_has(cli, "from");
}

static qk_status choose(selection *selection, const char *name, bool downstream)
{
    cli *cli = selection->cli;
    qk_names *names = NULL;
    /* It says which name is the nearest, so it is asked in both cases. */
    qk_status rc = qk_dag_descendants(&names, selection->dag, name, &cli->err);
    if (rc)
        return rc;
    selection->chosen[qk_dag_find(selection->dag, name)] = true;
    for (size_t i = 0; downstream && i < names->count; i++)
        selection->chosen[qk_dag_find(selection->dag, names->items[i])] = true;
    qk_names_free(names);
    return QK_OK;
}

static qk_status choose_all(selection *selection)
{
    static const char *const options[] = { "only", "from" };
    qk_status rc = QK_OK;
    for (size_t i = 0; i < 2 && !rc; i++) {
        size_t at = 0;
        const char *name;
        while (!rc && (name = cli_next_value(selection->cli, options[i], &at)))
            rc = choose(selection, name, i == 1);
    }
    return rc;
}

/* The latest job of each node that is done. */
static qk_status find_left(selection *selection)
{
    cli *cli = selection->cli;
    qk_rows *rows = NULL;
    qk_status rc =
        cli_sql_open(cli, &rows,
                     "SELECT node_name, max(id) FROM jobs WHERE status = 'done' AND dag_run_id IN "
                     "(SELECT id FROM dag_runs WHERE name = %L AND parent_job_id IS NULL) "
                     "GROUP BY node_name",
                     qk_dag_name(selection->dag));
    while (!rc && (rc = qk_rows_next(rows, &cli->err)) == QK_OK) {
        const char *name = qk_rows_text(rows, 0), *id = qk_rows_text(rows, 1);
        size_t node = name && id ? qk_dag_find(selection->dag, name) : QK_NO_NODE;
        if (node != QK_NO_NODE)
            snprintf(selection->left[node], QK_ID_TEXT_SIZE, "%s", id);
    }
    qk_rows_close(rows);
    return rc == QK_EMPTY ? QK_OK : rc;
}

static char *quote(const char *name)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    cli_json_text(out, name);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static bool is_key(const json_span *key, const char *name)
{
    return key->length == strlen(name) + 2 && memcmp(key->at + 1, name, strlen(name)) == 0;
}

/* QK_NO_NODE: an id, of a job outside. */
static size_t node_of(const selection *selection, const json_span *need)
{
    for (size_t i = 0; i < qk_dag_node_count(selection->dag); i++) {
        if (strlen(selection->quoted[i]) == need->length &&
            memcmp(selection->quoted[i], need->at, need->length) == 0)
            return i;
    }
    return QK_NO_NODE;
}

static qk_status put_needs(selection *selection, json_span list, const char *node)
{
    json_scan scan;
    json_span need;
    bool first = true;
    json_scan_init(&scan, list.at, list.length);
    fputc('[', selection->out);
    for (json_scan_enter(&scan, '['); json_scan_element(&scan, &need, first) > 0; first = false) {
        size_t parent = node_of(selection, &need);
        qk_node about;
        fputs(first ? "" : ",", selection->out);
        if (parent == QK_NO_NODE || selection->chosen[parent]) {
            fwrite(need.at, 1, need.length, selection->out);
            continue;
        }
        qk_dag_node(&about, selection->dag, parent);
        if (!selection->left[parent][0])
            return cli_error(
                &selection->cli->err, QK_ENOTFOUND,
                "%.100s needs %.100s, which no earlier run of %.100s has done: run the "
                "whole, or --from %.100s",
                node, about.name, qk_dag_name(selection->dag), about.name);
        fprintf(selection->out, "\"%s\"", selection->left[parent]);
    }
    fputc(']', selection->out);
    return QK_OK;
}

/* A parent of its was not asked for. */
static bool is_cut_off(const selection *selection, json_span object)
{
    json_scan scan, list;
    json_span key, value, need;
    json_scan_init(&scan, object.at, object.length);
    json_scan_enter(&scan, '{');
    for (bool first = true; json_scan_member(&scan, &key, &value, first) > 0; first = false) {
        if (!is_key(&key, "needs"))
            continue;
        json_scan_init(&list, value.at, value.length);
        json_scan_enter(&list, '[');
        for (bool start = true; json_scan_element(&list, &need, start) > 0; start = false) {
            size_t parent = node_of(selection, &need);
            if (parent != QK_NO_NODE && !selection->chosen[parent])
                return true;
        }
    }
    return false;
}

static qk_status put_node(selection *selection, json_span object, const char *name)
{
    json_scan scan;
    json_span key, value;
    bool first = true, any = false, cut_off = is_cut_off(selection, object);
    qk_status rc = QK_OK;
    json_scan_init(&scan, object.at, object.length);
    fputc('{', selection->out);
    json_scan_enter(&scan, '{');
    for (; !rc && json_scan_member(&scan, &key, &value, first) > 0; first = false) {
        if (cut_off && is_key(&key, "when"))
            continue;
        fputs(any ? "," : "", selection->out);
        any = true;
        fwrite(key.at, 1, key.length, selection->out);
        fputc(':', selection->out);
        if (is_key(&key, "needs"))
            rc = put_needs(selection, value, name);
        else
            fwrite(value.at, 1, value.length, selection->out);
    }
    fputc('}', selection->out);
    return rc;
}

/* Nodes stand in the order in which they were added. */
static qk_status put_nodes(selection *selection, json_span list)
{
    json_scan scan;
    json_span object;
    bool first = true, any = false;
    qk_status rc = QK_OK;
    json_scan_init(&scan, list.at, list.length);
    json_scan_enter(&scan, '[');
    fputc('[', selection->out);
    for (size_t i = 0; !rc && json_scan_element(&scan, &object, first) > 0; i++, first = false) {
        qk_node node;
        if (!selection->chosen[i])
            continue;
        fputs(any ? "," : "", selection->out);
        qk_dag_node(&node, selection->dag, i);
        rc = put_node(selection, object, node.name);
        any = true;
    }
    fputc(']', selection->out);
    return rc;
}

static qk_status put_dag(selection *selection, char *definition)
{
    json_scan scan;
    json_span key, value;
    bool first = true;
    qk_status rc = QK_OK;
    json_scan_init(&scan, definition, strlen(definition));
    json_scan_enter(&scan, '{');
    fputc('{', selection->out);
    for (; !rc && json_scan_member(&scan, &key, &value, first) > 0; first = false) {
        fputs(first ? "" : ",", selection->out);
        fwrite(key.at, 1, key.length, selection->out);
        fputc(':', selection->out);
        if (is_key(&key, "nodes"))
            rc = put_nodes(selection, value);
        else
            fwrite(value.at, 1, value.length, selection->out);
    }
    fputc('}', selection->out);
    return rc;
}

static qk_status rewrite(qk_dag **out, selection *selection)
{
    qk_dag_parse_options options = QK_DAG_PARSE_OPTIONS_INIT;
    cli *cli = selection->cli;
    char *definition = NULL, *text = NULL;
    size_t size = 0;
    qk_status rc = qk_dag_to_json(&definition, selection->dag, &cli->err);
    if (!rc)
        selection->out = open_memstream(&text, &size);
    if (!rc && !selection->out)
        rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = put_dag(selection, definition);
    if (selection->out && fclose(selection->out) != 0 && !rc)
        rc = cli_error(&cli->err, QK_ENOMEM, "out of memory");
    options.dag.validate = false; /* the whole was checked; a part may well look odd */
    if (!rc)
        rc = qk_dag_from_json(out, text, size, &options, &cli->err);
    free(definition);
    free(text);
    return rc;
}

qk_status run_select(qk_dag **out, cli *cli, qk_dag *dag)
{
    size_t count = qk_dag_node_count(dag);
    selection selection = { .cli = cli, .dag = dag };
    selection.chosen = calloc(count + 1, sizeof(*selection.chosen));
    selection.left = calloc(count + 1, sizeof(*selection.left));
    selection.quoted = calloc(count + 1, sizeof(*selection.quoted));
    bool good = selection.chosen && selection.left && selection.quoted;
    for (size_t i = 0; good && i < count; i++) {
        qk_node node;
        qk_dag_node(&node, dag, i);
        selection.quoted[i] = quote(node.name);
        good = selection.quoted[i] != NULL;
    }
    qk_status rc = good ? QK_OK : cli_error(&cli->err, QK_ENOMEM, "out of memory");
    if (!rc)
        rc = choose_all(&selection);
    if (!rc)
        rc = find_left(&selection);
    if (!rc)
        rc = rewrite(out, &selection);
    for (size_t i = 0; selection.quoted && i < count; i++)
        free(selection.quoted[i]);
    free(selection.quoted);
    free(selection.left);
    free(selection.chosen);
    return rc;
}
