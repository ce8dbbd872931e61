/*
 * Queuack: a durable job queue and DAG engine. One include for everything.
 */
#ifndef QUEUACK_QUEUACK_H
#define QUEUACK_QUEUACK_H

#include <stdio.h>

#include <queuack/dag.h>
#include <queuack/error.h>
#include <queuack/job.h>
#include <queuack/log.h>
#include <queuack/metrics.h>
#include <queuack/queue.h>
#include <queuack/run.h>
#include <queuack/task.h>
#include <queuack/types.h>
#include <queuack/upkeep.h>
#include <queuack/version.h>
#include <queuack/worker.h>
#include <queuack/workflow.h>

#endif
