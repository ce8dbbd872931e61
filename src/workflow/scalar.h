/*
 * What an unquoted scalar is by YAML 1.2's core schema. Pure.
 */
#ifndef QK_WORKFLOW_SCALAR_H
#define QK_WORKFLOW_SCALAR_H

#include "workflow/tree.h"

/* Sets type and boolean from the text. What the schema does not know stays text: so do numbers that
 * JSON cannot hold (.inf, .nan), and octal and hexadecimal ones become decimal on output only. */
void qk__yaml_scalar_type(qk__yaml_node *scalar);

#endif
