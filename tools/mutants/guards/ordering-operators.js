/** The guards of what operators order for keys and partitions that wait. */

const SCRIPTS = 'libs/streams/src/scripts';
const TEST = 'libs/streams/test/ordered';
const EXHAUSTED_SPEC = `${TEST}/exhausted.spec.ts`;
const ORDERS_SPEC = `${TEST}/orders.spec.ts`;

/** @type {import('../guards.js').Guard[]} */
export const orderingOperators = [
  {
    name: 'ordered: a repeated call stops no partition that an operator has let go on',
    file: `${SCRIPTS}/note.lua`,
    find: "if ARGV[6] and redis.call('HGET', KEYS[1], 'stop') == ARGV[6] then return redis.call('HEXISTS', KEYS[1], 'stopped') end\n",
    replace: '',
    spec: ORDERS_SPEC,
    title: 'a partition that stopped goes on',
  },
  {
    name: 'ordered: a repeated call puts no message aside that was released',
    file: `${SCRIPTS}/park.lua`,
    find: "if mark and redis.call('HGET', KEYS[1], ARGV[6]) == mark then return 1 end\n",
    replace: '',
    spec: ORDERS_SPEC,
    title: 'a key that was put aside beside others is released',
  },
  {
    name: 'ordered: a repeated call puts no key aside again that was released',
    file: `${SCRIPTS}/settle-parked.lua`,
    find: '  if present == text then return end\n',
    replace: '',
    spec: ORDERS_SPEC,
    title: 'a key that was put aside again is released',
  },
  {
    name: 'ordered: the message at which a key waits is the one that failed',
    file: `${SCRIPTS}/release-key.lua`,
    find: `if text and not string.find(text, '"givenUp":null,', 1, true) then return name end`,
    replace: 'if text then return name end',
    spec: EXHAUSTED_SPEC,
    title: 'and another one that was redriven before that message is handled',
  },
];
