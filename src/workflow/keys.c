/*
 * The tables of keys; see keys.h.
 */
#include "workflow/keys.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const file[] = {
    "name",     "description", "params",     "secrets",    "environment", "database",
    "schedule", "defaults",    "on_success", "on_failure", "tasks",
};

static const char *const task[] = {
    "description", "needs",        "mode",     "when",     "run",   "sql",    "dag",
    "kind",        "payload",      "with",     "foreach",  "env",   "cwd",    "shell",
    "database",    "inputs",       "outputs",  "timeout",  "slots", "limits", "backoff",
    "queue",       "max_attempts", "max_lost", "priority", "tags",  "strict", "continue_on_failure",
};

static const char *const defaults[] = {
    "env",   "cwd",          "shell",    "database", "timeout", "limits", "backoff",
    "queue", "max_attempts", "max_lost", "priority", "tags",    "strict", "continue_on_failure",
};

static const char *const param[] = { "type", "default", "description", "choices" };
static const char *const backoff[] = { "base", "factor", "cap" };
static const char *const limits[] = { "memory", "cpu_seconds", "open_files", "file_size" };

const qk__keys qk__keys_file = { "workflow", "", file, COUNT(file) };
const qk__keys qk__keys_task = { "task", "task", task, COUNT(task) };
const qk__keys qk__keys_defaults = { "defaults", "defaults", defaults, COUNT(defaults) };
const qk__keys qk__keys_param = { "param", "param", param, COUNT(param) };
const qk__keys qk__keys_backoff = { "backoff", "backoff", backoff, COUNT(backoff) };
const qk__keys qk__keys_limits = { "limits", "limits", limits, COUNT(limits) };

const qk__keys *const qk__keys_all[] = {
    &qk__keys_file,   &qk__keys_task, &qk__keys_defaults, &qk__keys_param, &qk__keys_backoff,
    &qk__keys_limits, NULL,
};

const char *const qk__run_fields[] = {
    "id", "name", "job", "node", "attempt", "created_at", "scheduled_for", "trigger",
};
const size_t qk__run_field_count = COUNT(qk__run_fields);
