/*
 * Options of a handle: checked, completed with their defaults, copied.
 */
#ifndef QK_QUEUE_OPTIONS_H
#define QK_QUEUE_OPTIONS_H

#include "store/store.h"

#define QK__QUEUE_DEFAULT "default"
#define QK__MAX_PAYLOAD_DEFAULT (UINT64_C(4) << 20)
#define QK__MAX_PAYLOAD_LIMIT (UINT64_C(1) << 30) /* lengths are kept in 32 bits */

/* Fills the config but for the path. `default_queue` and `temp_dir` are borrowed from the options
 * as given (temp_dir may be NULL). QK_EINVAL. */
qk_status qk__options_apply(qk__store_config *out, const qk_queue_options *options, qk_error *err);

#endif
