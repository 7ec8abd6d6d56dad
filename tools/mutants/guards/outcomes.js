/** The guards of the outcomes that a handler decides, and of those that it does not decide any more. */

const DELIVERY = 'libs/core/src/delivery';
const PIPELINE_SPEC = 'libs/core/test/pipeline.spec.ts';
const GIVEN_UP_SPEC = 'libs/streams/test/given-up.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const outcomes = [
  {
    name: 'a handler whose lease was given up decides nothing',
    file: `${DELIVERY}/lease.ts`,
    find: 'return lease.isGivenUp ? RELEASED : outcome;',
    replace: 'return outcome;',
    spec: PIPELINE_SPEC,
    title: 'decides nothing, and records nothing: it',
  },
  {
    name: 'the transaction of what was given up is not committed',
    file: 'libs/core/src/middleware/inbox-turn.ts',
    find: 'return lease.isGivenUp ? goBack() : value;',
    replace: 'return value;',
    spec: PIPELINE_SPEC,
    title: 'is rolled back when that turns out as its transaction is to be committed',
  },
  {
    name: 'a lease that has run out is confirmed before a transaction is committed',
    file: 'libs/streams/src/consume/held-entries.ts',
    find: 'if (entry.isGivenUp || this.isSure) return;',
    replace: 'if (true) return;',
    spec: GIVEN_UP_SPEC,
    title: 'records nothing in the inbox when its process stood still',
  },
  {
    name: 'messages whose handlers still run at the stop deadline are put back',
    file: 'libs/streams/src/consume/dispatcher.ts',
    find: '      this.release(begun);\n',
    replace: '',
    spec: GIVEN_UP_SPEC,
    title: 'is not acknowledged by a handler that returns because its signal aborts',
  },
  {
    name: 'the lock of a job that came back is renewed when its first handler ends',
    file: 'libs/jobs/src/worker/counted-worker.ts',
    find: 'else if (last !== undefined) this.lockManager.trackJob(id, last, LONG_AGO);',
    replace: '',
    spec: 'libs/jobs/test/given-up.spec.ts',
    title: 'keeps its new lock when it comes back to the same worker',
  },
  {
    name: 'a job with a priority that is put back wakes a worker',
    file: 'libs/jobs/src/worker/start-job-worker.ts',
    find: "await client.zadd(backend.toKey('marker'), 0, '0');",
    replace: 'void client;',
    spec: 'libs/jobs/test/given-up.spec.ts',
    title: 'is begun again at once by a worker that waits for jobs, though it has a priority',
  },
  {
    name: 'a job whose lock has run out is given up before its transaction is committed when another worker has it',
    file: 'libs/jobs/src/worker/active-job.ts',
    find: 'if (!isOurs) this.lost();',
    replace: 'void isOurs;',
    spec: 'libs/jobs/test/active-job.spec.ts',
    title: 'is given up when its lock has run out',
  },
  {
    name: 'a job that cannot be given back counts no failed attempt',
    file: 'libs/jobs/src/worker/job-processor.ts',
    find: 'await putBack(job, token).catch(onFailed);',
    replace: 'await putBack(job, token);',
    spec: 'libs/jobs/test/given-up.spec.ts',
    title: 'is told of, and counts no failed attempt',
  },
];
