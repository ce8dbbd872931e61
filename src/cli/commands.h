/*
 * Every command, by the file that defines it.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli.h"

extern const cli_command cli_cmd_enqueue;
extern const cli_command cli_cmd_worker;
extern const cli_command cli_cmd_run;
extern const cli_command cli_cmd_stats;
extern const cli_command cli_cmd_jobs_list, cli_cmd_jobs_show, cli_cmd_jobs_why,
    cli_cmd_jobs_result, cli_cmd_jobs_logs, cli_cmd_jobs_wait, cli_cmd_jobs_retry,
    cli_cmd_jobs_cancel, cli_cmd_jobs_purge;
extern const cli_command cli_cmd_dead_list, cli_cmd_dead_retry, cli_cmd_dead_purge;
extern const cli_command cli_cmd_runs_list, cli_cmd_runs_show, cli_cmd_runs_tree,
    cli_cmd_runs_graph, cli_cmd_runs_wait, cli_cmd_runs_retry, cli_cmd_runs_cancel,
    cli_cmd_runs_pause, cli_cmd_runs_resume;
extern const cli_command cli_cmd_init;
extern const cli_command cli_cmd_dag_validate, cli_cmd_dag_plan, cli_cmd_dag_graph;
extern const cli_command cli_cmd_queues_list, cli_cmd_queues_pause, cli_cmd_queues_resume,
    cli_cmd_queues_set;
extern const cli_command cli_cmd_workers_list;
extern const cli_command cli_cmd_sql;
extern const cli_command cli_cmd_top;
extern const cli_command cli_cmd_export;
extern const cli_command cli_cmd_backup;
extern const cli_command cli_cmd_doctor;
extern const cli_command cli_cmd_completion, cli_cmd_complete, cli_cmd_plugin;
extern const cli_command cli_cmd_version;

#endif
