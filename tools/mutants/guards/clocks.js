/** The guards of due times, which hold whatever the clocks of processes say. */

const CLOCKS_SPEC = 'libs/jobs/test/clocks.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const clocks = [
  {
    name: "a job's delay goes by Redis's clock",
    file: 'libs/jobs/src/queue/add-jobs.ts',
    find: 'return { ...opts, timestamp: await clock.latest() };',
    replace: 'return opts;',
    spec: CLOCKS_SPEC,
    title: 'when the clock of the producer is',
  },
  {
    name: "a worker of jobs goes by Redis's clock",
    file: 'libs/jobs/src/worker/start-job-worker.ts',
    find: '  goByRedisTime(worker.getBackend());\n',
    replace: '',
    spec: CLOCKS_SPEC,
    title: 'between two attempts, when the clock of the worker is an hour ahead',
  },
];
