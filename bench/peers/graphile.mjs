// Times graphile-worker on PostgreSQL: enqueue one by one and in bulk, process plain and tuned, and
// the start of a job on an idle worker.
//
// Usage: PEER_MODULES=FOLDER PGHOST=… PGUSER=… PGDATABASE=… node graphile.mjs JOBS
//
// Tuned means 24 slots, a local queue of 500, and completions sent in batches. Prints lines of
// peer, metric and value between tabs.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.PEER_MODULES}/`);
const { run, makeWorkerUtils, Logger } = require('graphile-worker');
const { Pool } = require('pg');

const jobs = Number(process.argv[2] ?? 20000);
const pgPool = new Pool({ max: 28 });
pgPool.on('error', error => console.error(error.message));
const logger = new Logger(() => () => {});
const row = (metric, value) => console.log(`graphile-worker\t${metric}\t${value.toPrecision(6)}`);
const seconds = since => (performance.now() - since) / 1e3;

async function enqueueOne(utils, count) {
  const began = performance.now();
  for (let i = 0; i < count; i++) await utils.addJob('noop', { i });
  return count / seconds(began);
}

async function enqueueBulk(utils, count) {
  const began = performance.now();
  for (let first = 0; first < count; first += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - first) },
      (_, k) => ({ identifier: 'noop', payload: { i: first + k } }));
    await utils.addJobs(batch);
  }
  return count / seconds(began);
}

async function process_(worker) {
  const { rows } = await pgPool.query('select count(*) as n from graphile_worker._private_jobs');
  const total = Number(rows[0].n);
  let done = 0, finish;
  const finished = new Promise(resolve => { finish = resolve; });
  const began = performance.now();
  const runner = await run({
    pgPool, logger, noHandleSignals: true,
    preset: { worker: { pollInterval: 100, ...worker } },
    taskList: { noop: async () => { if (++done === total) finish(); } },
  });
  await finished;
  await runner.stop(); // waits for the completions
  return total / seconds(began);
}

async function idleStart(utils, samples) {
  let started;
  const runner = await run({
    pgPool, logger, noHandleSignals: true, concurrency: 4, pollInterval: 1000,
    taskList: { probe: async () => started(performance.now()) },
  });
  const spans = [];
  for (let i = 0; i < samples; i++) {
    const start = new Promise(resolve => { started = resolve; });
    const began = performance.now();
    await utils.addJob('probe', {});
    spans.push(await start - began);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  await runner.stop();
  return spans.sort((a, b) => a - b);
}

const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();
row('enqueue_one_per_s', await enqueueOne(utils, 500));
row('enqueue_bulk_per_s', await enqueueBulk(utils, jobs));
row('process_plain_per_s', await process_({ concurrentJobs: 10 }));
await enqueueBulk(utils, jobs);
row('process_per_s', await process_({
  concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0,
}));
const spans = await idleStart(utils, 200);
row('idle_start_p50_ms', spans[spans.length >> 1]);
row('idle_start_p99_ms', spans[Math.floor(spans.length * 0.99)]);
await utils.release();
await pgPool.end();
process.exit(0);
