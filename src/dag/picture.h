/*
 * A picture before it is written: boxes, the clusters they lie in, and the edges between them. Made
 * once from a DAG and what a run says about it; the writers of the formats only spell it out.
 *
 * Items (boxes and clusters) are in the order in which they are written: a cluster comes before all
 * that is inside it, and its last item is known, so that writers need no recursion.
 */
#ifndef QK_DAG_PICTURE_H
#define QK_DAG_PICTURE_H

#include "dag/graph.h"
#include "dag/theme.h"
#include "util/buffer.h"

#define QK__PICTURE_MAX ((size_t)1 << 30)
#define QK__NO_ITEM UINT32_MAX

typedef struct qk__item {
    const char *path; /* "outer/inner" */
    const char *name;
    const char *note; /* further lines, or NULL */
    const qk__node *node; /* NULL: jobs outside the DAG */
    uint32_t cluster; /* item it lies in, or QK__NO_ITEM */
    uint32_t end; /* of a cluster: the item behind its last one; of a box: 0 */
    uint32_t level; /* within its DAG */
    uint32_t folded; /* nodes that it stands for: like ones, or those of a sub-DAG; 0: itself */
    uint8_t status; /* qk_job_status, or QK_JOB_STATUS_COUNT */
    uint8_t class_; /* qk__class */
    bool is_cluster;
} qk__item;

typedef struct qk__edge {
    uint32_t from, to; /* items */
    bool conditional; /* the dependent has a condition */
} qk__edge;

typedef struct qk__picture {
    const qk_dag *dag;
    const qk_picture_options *options;
    qk__palette palette;
    qk__arena arena;
    qk__item *items;
    uint32_t count, capacity, box_count;
    qk__edge *edges;
    size_t edge_count, edge_capacity;
} qk__picture;

/* On failure there is nothing to dispose of. QK_EINVAL, QK_ETOOLARGE, QK_ENOMEM. */
qk_status qk__picture_init(qk__picture *out, qk_dag *dag, const qk_picture_options *options,
                           qk_error *err);
void qk__picture_dispose(qk__picture *picture);

/* leader[i]: the first node that i is drawn together with, itself if alone; size[i]: how many it
 * leads. `look` holds statuses, or is NULL. QK_ENOMEM. */
qk_status qk__picture_fold(uint32_t *leader, uint32_t *size, const qk_dag *dag,
                           const uint8_t *statuses, size_t from);

/* A box of a cluster that edges can be tied to, where a format knows only boxes. */
uint32_t qk__picture_box_of(const qk__picture *picture, uint32_t item, bool last);

void qk__picture_mermaid(qk__buffer *text, const qk__picture *picture);
void qk__picture_dot(qk__buffer *text, const qk__picture *picture, bool layered);
void qk__picture_json(qk__buffer *text, const qk__picture *picture);
/* QK_EUNSUPPORTED, QK_ENOMEM, QK_EINTERNAL. */
qk_status qk__picture_svg(char **out, const qk__picture *picture, qk_error *err);

#endif
