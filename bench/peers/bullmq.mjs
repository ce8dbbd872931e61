// Times BullMQ on Redis with `appendfsync always`: enqueue one by one and in bulk, process.
//
// Usage: PEER_MODULES=FOLDER REDIS_SOCKET=PATH node bullmq.mjs JOBS
//
// Prints lines of peer, metric and value between tabs.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.PEER_MODULES}/`);
const { Queue, Worker } = require('bullmq');

const jobs = Number(process.argv[2] ?? 20000);
const connection = { path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null };
const row = (metric, value) => console.log(`bullmq\t${metric}\t${value.toPrecision(6)}`);
const seconds = since => (performance.now() - since) / 1e3;

async function enqueueBulk(queue, count) {
  const began = performance.now();
  for (let first = 0; first < count; first += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - first) },
      (_, k) => ({ name: 'noop', data: { i: first + k } }));
    await queue.addBulk(batch);
  }
  return count / seconds(began);
}

async function processAll(total) {
  let done = 0, finish;
  const finished = new Promise(resolve => { finish = resolve; });
  const began = performance.now();
  const worker = new Worker('noop', async () => { if (++done === total) finish(); },
    { connection, concurrency: 100, removeOnComplete: { count: 0 } });
  await finished;
  await worker.close();
  return total / seconds(began);
}

const queue = new Queue('noop', { connection });
let began = performance.now();
for (let i = 0; i < 500; i++) await queue.add('noop', { i });
row('enqueue_one_per_s', 500 / seconds(began));
row('enqueue_bulk_per_s', await enqueueBulk(queue, jobs));
row('process_per_s', await processAll(jobs + 500));
await queue.close();
process.exit(0);
