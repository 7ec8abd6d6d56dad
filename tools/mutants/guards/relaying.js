/** The guards of the outbox: rows are published once, in the order of their keys, and none is lost. */

const OUTBOX = 'libs/outbox/src/outbox';
const RELAY = 'libs/outbox/src/relay';
const SPEC = 'libs/outbox/test/outbox/relay.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const relaying = [
  {
    name: 'a row is removed only when its publish was confirmed',
    file: `${RELAY}/relay-page.ts`,
    find: 'const published = result.published.map(',
    replace: 'const published = [...result.published, ...result.failures.map(({ row }) => row)].map(',
    spec: SPEC,
    title: 'counts no attempt while a topic takes nothing',
  },
  {
    name: 'a row is unique by its id',
    file: `${OUTBOX}/outbox-row.ts`,
    find: 'idempotencyKey: idempotencyKey ?? id,',
    replace: 'idempotencyKey: idempotencyKey ?? null,',
    spec: SPEC,
    title: 'publishes rows under their ids, unique by them',
  },
  {
    name: 'one relay at a time works on a lane',
    file: `${OUTBOX}/outbox-postgres.ts`,
    find: `WHERE lane IN (\${lanes.join(', ')}) FOR UPDATE SKIP LOCKED`,
    replace: `WHERE lane IN (\${lanes.join(', ')})`,
    spec: SPEC,
    title: 'shares lanes with others, and never works on one that another holds',
  },
  {
    name: 'the next row of a key goes when the one before it is settled',
    file: `${RELAY}/page.ts`,
    find: 'else wave.push(row);',
    replace: 'else wave.push(...queue);',
    spec: SPEC,
    title: 'lets a key wait for its row that fails',
  },
  {
    name: 'a key waits for its row that failed',
    file: `${RELAY}/page.ts`,
    find: 'return this.#waitingKeys.has(name) && !this',
    replace: 'return false && !this',
    spec: SPEC,
    title: 'lets a key wait while its failed row is not due yet',
  },
  {
    name: 'the rows behind a failed one are let go with it',
    file: `${RELAY}/page.ts`,
    find: "if (row.state === 'waiting') this.#freed.push(row);",
    replace: '',
    spec: SPEC,
    title: 'lets a key wait for its row that fails',
  },
  {
    name: 'no attempt is counted while Redis is away',
    file: `${RELAY}/verdict.ts`,
    find: "if (error.retryable || error.code === 'CLOSED') return { fate: 'held' };",
    replace: '',
    spec: SPEC,
    title: 'counts no attempt while a topic takes nothing',
  },
  {
    name: 'statements of a relay in MySQL wait for no rows but their own',
    file: `${OUTBOX}/outbox-mysql.ts`,
    find: 'AS o FORCE INDEX (PRIMARY) WHERE o.position IN',
    replace: 'AS o IGNORE INDEX (PRIMARY) WHERE o.position IN',
    spec: SPEC,
    title: 'publishes the rows of a key in their order, and does not pass over one',
  },
];
