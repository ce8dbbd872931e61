/*
 * The table of commands. A new one is added here and in commands.h, nowhere else.
 */
#include <string.h>

#include "commands.h"

const cli_command *const cli_commands[] = {
    &cli_cmd_enqueue,      &cli_cmd_worker,        &cli_cmd_run,
    &cli_cmd_stats,        &cli_cmd_jobs_list,     &cli_cmd_jobs_show,
    &cli_cmd_jobs_why,     &cli_cmd_jobs_result,   &cli_cmd_jobs_logs,
    &cli_cmd_jobs_wait,    &cli_cmd_jobs_retry,    &cli_cmd_jobs_cancel,
    &cli_cmd_jobs_purge,   &cli_cmd_dead_list,     &cli_cmd_dead_retry,
    &cli_cmd_dead_purge,   &cli_cmd_runs_list,     &cli_cmd_runs_show,
    &cli_cmd_runs_tree,    &cli_cmd_runs_graph,    &cli_cmd_runs_wait,
    &cli_cmd_runs_retry,   &cli_cmd_runs_cancel,   &cli_cmd_runs_pause,
    &cli_cmd_runs_resume,  &cli_cmd_dag_validate,  &cli_cmd_dag_plan,
    &cli_cmd_dag_graph,    &cli_cmd_init,          &cli_cmd_queues_list,
    &cli_cmd_queues_pause, &cli_cmd_queues_resume, &cli_cmd_queues_set,
    &cli_cmd_workers_list, &cli_cmd_sql,           &cli_cmd_top,
    &cli_cmd_export,       &cli_cmd_backup,        &cli_cmd_doctor,
    &cli_cmd_completion,   &cli_cmd_version,       &cli_cmd_help,
    &cli_cmd_complete,     &cli_cmd_plugin,        NULL,
};

const cli_option cli_global_options[] = {
    { "db", 0, "FILE", "The store: a file, or :memory:", false },
    { "json", 0, NULL, "Print one JSON document", false },
    { "quiet", 0, NULL, "Print no remarks", false },
    { "verbose", 'v', NULL, "Say what the library is doing; -vv more", false },
    { "log-level", 0, "LEVEL", "Log debug, info, warn, error or off, as records on stderr", false },
    { "log-format", 0, "FORMAT", "Records as text (logfmt) or json", false },
    { "help", 'h', NULL, "Print help and end", false },
    { "version", 0, NULL, "Print the version and end", false },
    { 0 },
};

const cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    }
    return NULL;
}

bool cli_command_is_group(const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strncmp(cli_commands[i]->name, word, length) == 0 &&
            cli_commands[i]->name[length] == ' ')
            return true;
    }
    return false;
}
