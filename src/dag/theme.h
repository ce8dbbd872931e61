/*
 * Colours of pictures: per theme a table of classes. Pure; any thread.
 */
#ifndef QK_DAG_THEME_H
#define QK_DAG_THEME_H

#include <queuack/dag.h>

/* Statuses come first, in the order of qk_job_status, then types in that of qk_node_type. */
typedef enum qk__class {
    QK__CLASS_STATUS = 0,
    QK__CLASS_TYPE = QK_JOB_STATUS_COUNT,
    QK__CLASS_FOLDED = QK_JOB_STATUS_COUNT + QK_NODE_TYPE_COUNT,
    QK__CLASS_EXTERNAL,
    QK__CLASS_CLUSTER,
    QK__CLASS_BACKGROUND,
    QK__CLASS_EDGE,
    QK__CLASS_COUNT,
} qk__class;

typedef struct qk__colours {
    char fill[8], stroke[8], text[8]; /* #rrggbb */
} qk__colours;

typedef struct qk__palette {
    qk__colours of[QK__CLASS_COUNT];
} qk__palette;

/* "done", "task", "folded" … Static. */
const char *qk__class_name(qk__class which);

/* The theme with the custom colours over it. QK_EINVAL: an unknown theme, class or colour. */
qk_status qk__palette_init(qk__palette *out, qk_theme theme, const qk_colours *custom, size_t count,
                           qk_error *err);

#endif
