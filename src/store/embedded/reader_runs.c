/*
 * Reading runs; see reader.h. Tables only: what a call has reported is durable, and a run's state is
 * in the journal as soon as it is. One statement each, whatever the number of runs or nodes.
 */
#include "store/embedded/reader_internal.h"

#include <string.h>

#include "store/embedded/row_set.h"
#include "store/embedded/views.h"
#include "util/buffer.h"
#include "util/error.h"

/* A run as a row: node its name, claimed_by the root's id, ext and payload as the journal has them. */
#define RUN_ROW(definition)                                                                        \
    "SELECT 9::UTINYINT AS op, id, parent_job_id AS related, root_run_id::VARCHAR AS claimed_by, " \
    "name AS node, created_at, completed_at AS finished_at, status, " definition                   \
    " AS payload, json_object('rt', root_run_id::VARCHAR, 'de', description, 'md', "               \
    "metadata::JSON, 'pr', params::JSON, 'tr', trigger, 'sf', epoch_us(scheduled_for))::VARCHAR "  \
    "AS ext FROM queuack_run_rows "

#define TREE "root_run_id = (SELECT root_run_id FROM queuack_run_rows WHERE id = $1)"
#define OF_TREE "related IN (SELECT id FROM queuack_run_rows WHERE root_run_id = $1)"

static qk_status fetch_by_id(qk__reader *reader, qk__row_set *out, const char *sql, qk_id id,
                             qk_error *err)
{
    qk__parameter parameter = { .kind = QK__PARAMETER_ID, .id = id };
    return qk__reader_fetch(reader, out, sql, &parameter, 1, err);
}

qk_status qk__reader_run(qk__reader *reader, qk__row_set *out, qk_id id, qk_error *err)
{
    return fetch_by_id(reader, out, RUN_ROW("definition") "WHERE id = $1", id, err);
}

qk_status qk__reader_tree_runs(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err)
{
    return fetch_by_id(reader, out, RUN_ROW("definition") "WHERE " TREE, run, err);
}

/*
 * The runs of a tree without what they are about, for a hierarchy. Not from the views: these bring the
 * definitions along and read the JSON of every run there is. A run's root never changes, so any of its
 * rows tells it; the text is looked for before the JSON is read, which may hold it elsewhere too.
 */
#define BOTH_JOURNALS(columns, condition)                                                          \
    "(SELECT " columns " FROM journal_a WHERE " condition " UNION ALL SELECT " columns             \
    " FROM journal_b WHERE " condition ")"
/* clang-format off */
#define HIERARCHY \
    "WITH root AS MATERIALIZED (SELECT coalesce(" \
    "(SELECT any_value(ext->>'$.rt')::UUID FROM " BOTH_JOURNALS("ext", "op = 9 AND id = $1") "), " \
    "(SELECT any_value(root_run_id) FROM runs WHERE id = $1)) AS id), " \
    "images AS (SELECT id, arg_max({'related': related, 'node': node, 'status': status, " \
    "'ext': ext}, batch) AS last FROM " \
    BOTH_JOURNALS("batch, id, related, node, status, ext", "op = 9") " GROUP BY id), " \
    "tree AS MATERIALIZED (SELECT i.id, last.related AS related, last.node AS node, " \
    "last.status AS status FROM images i, root WHERE contains(last.ext, root.id::VARCHAR) AND " \
    "(last.ext->>'$.rt') = root.id::VARCHAR UNION ALL SELECT r.id, parent_job_id, name, status " \
    "FROM runs r, root WHERE root_run_id = root.id), " \
    "outside AS (SELECT id, any_value(related) AS run FROM (SELECT id, related FROM " \
    BOTH_JOURNALS("id, related", "op <= 1 AND kind = 'dag' AND related IS NOT NULL") \
    " UNION ALL SELECT id, related FROM history WHERE kind = 'dag' AND related IS NOT NULL) " \
    "WHERE id IN (SELECT related FROM tree) GROUP BY id) " \
    "SELECT 9::UTINYINT AS op, tree.id, tree.related, node, status, run::VARCHAR AS result " \
    "FROM tree LEFT JOIN outside ON outside.id = tree.related ORDER BY tree.id"
/* clang-format on */

qk_status qk__reader_hierarchy(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err)
{
    return fetch_by_id(reader, out, HIERARCHY, run, err);
}

qk_status qk__reader_tree_nodes(qk__reader *reader, qk__row_set *out, qk_id root, qk_error *err)
{
    return fetch_by_id(reader, out,
                       "SELECT id, related, status, ext->>'$.sr' AS error FROM queuack_ended "
                       "WHERE " OF_TREE
                       " OR id = (SELECT parent_job_id FROM queuack_run_rows WHERE id = $1)",
                       root, err);
}

qk_status qk__reader_tree_edges(qk__reader *reader, qk__row_set *out, qk_id root, qk_error *err)
{
    return fetch_by_id(
        reader, out,
        "SELECT DISTINCT id, related FROM (SELECT child AS id, parent AS related FROM edges "
        "UNION ALL SELECT id, related FROM journal_a WHERE op = 5 "
        "UNION ALL SELECT id, related FROM journal_b WHERE op = 5) "
        "WHERE id IN (SELECT id FROM queuack_ended WHERE " OF_TREE
        " UNION ALL SELECT id FROM queuack_images WHERE " OF_TREE ")",
        root, err);
}

static void add(qk__buffer *sql, qk__parameter *parameters, size_t *count, const char *condition,
                qk__parameter parameter)
{
    parameters[(*count)++] = parameter;
    qk__buffer_printf(sql, " AND %s$%zu", condition, *count);
}

static void add_id(qk__buffer *sql, qk__parameter *parameters, size_t *count, const char *condition,
                   qk_id id)
{
    if (!qk_id_is_none(id)) {
        add(sql, parameters, count, condition,
            (qk__parameter){ .kind = QK__PARAMETER_ID, .id = id });
    }
}

static void add_statuses(qk__buffer *sql, uint32_t statuses)
{
    const char *comma = "";
    if (statuses == 0) {
        return;
    }
    qk__buffer_text(sql, " AND status IN (");
    for (int i = 0; i < 8; i++) {
        if ((statuses >> i & 1) != 0) {
            qk__buffer_printf(sql, "%s%d", comma, i);
            comma = ", ";
        }
    }
    qk__buffer_text(sql, *comma != '\0' ? ")" : "255)");
}

qk_status qk__reader_list_runs(qk__reader *reader, qk__row_set *out, const qk_run_filter *filter,
                               size_t limit, qk_error *err)
{
    qk__buffer sql;
    qk__parameter parameters[6];
    char suffix[QK_ID_TEXT_SIZE] = "";
    size_t count = 0;
    qk__buffer_init(&sql, 1 << 16);
    qk__buffer_text(&sql, RUN_ROW("NULL::VARCHAR") "WHERE true");
    add_statuses(&sql, filter->statuses);
    add_id(&sql, parameters, &count, "parent_job_id = ", filter->parent_job);
    add_id(&sql, parameters, &count, "root_run_id = ", filter->root_run);
    add_id(&sql, parameters, &count, "id < ", filter->before);
    if (filter->name != NULL) {
        add(&sql, parameters, &count,
            "name = ", (qk__parameter){ .kind = QK__PARAMETER_TEXT, .text = filter->name });
    }
    if (filter->roots_only) {
        qk__buffer_text(&sql, " AND parent_job_id IS NULL");
    }
    if (filter->id_suffix != NULL) {
        size_t length = strlen(filter->id_suffix);
        memcpy(suffix, filter->id_suffix, length < sizeof suffix ? length : sizeof suffix - 1);
        add(&sql, parameters, &count, "ends_with(replace(id::VARCHAR, '-', ''), lower(",
            (qk__parameter){ .kind = QK__PARAMETER_TEXT, .text = suffix });
        qk__buffer_text(&sql, "))");
    }
    qk__buffer_printf(&sql, " ORDER BY id DESC LIMIT %zu", limit);
    qk_status rc = sql.failed ? qk__error(err, QK_ENOMEM, "out of memory")
                              : qk__reader_fetch(reader, out, sql.data, parameters, count, err);
    qk__buffer_dispose(&sql);
    return rc;
}

qk_status qk__reader_node(qk__reader *reader, qk__row_set *out, qk_id run, const char *node,
                          qk_error *err)
{
    qk__parameter parameters[] = { { .kind = QK__PARAMETER_ID, .id = run },
                                   { .kind = QK__PARAMETER_TEXT, .text = node } };
    return qk__reader_fetch(reader, out,
                            "SELECT id FROM queuack_images WHERE related = $1 AND node = $2 "
                            "UNION SELECT id FROM history WHERE related = $1 AND node = $2",
                            parameters, 2, err);
}

qk_status qk__reader_leaves(qk__reader *reader, qk__row_set *out, qk_id run, qk_error *err)
{
    return fetch_by_id(
        reader, out,
        "SELECT node, result FROM queuack_ended WHERE related = $1 AND status = 3 AND id NOT IN ("
        "SELECT parent FROM (SELECT child, parent FROM edges "
        "UNION ALL SELECT id, related FROM journal_a WHERE op = 5 "
        "UNION ALL SELECT id, related FROM journal_b WHERE op = 5) "
        "WHERE child IN (SELECT id FROM queuack_ended WHERE related = $1)) ORDER BY seq",
        run, err);
}
