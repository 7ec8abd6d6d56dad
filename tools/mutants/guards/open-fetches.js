/** The guards of fetches that owners leave open: what is handed over is taken in once, in its order, by the owner alone. */

const ORDERED = 'libs/streams/src/ordered';
const SCRIPTS = 'libs/streams/src/scripts';
const TEST = 'libs/streams/test/ordered';
const OPEN_FETCHES_SPEC = `${TEST}/open-fetches.spec.ts`;

/** @type {import('../guards.js').Guard[]} */
export const openFetches = [
  {
    name: 'nothing is handed over to an owner that has vanished',
    file: `${SCRIPTS}/include/open-fetches.lua`,
    find: ' and hears(base .. member) then',
    replace: ' then',
    spec: OPEN_FETCHES_SPEC,
    title: 'is not served when its owner has vanished: nothing looks as if a handler had had it',
  },
  {
    name: 'nothing more is handed over to an owner with messages that are not settled',
    file: `${SCRIPTS}/include/open-fetches.lua`,
    find: 'last and pending == 0 and',
    replace: 'last and',
    spec: OPEN_FETCHES_SPEC,
    title: 'is given one message a partition at the most when the host of its owner stands still',
  },
  {
    name: 'entries that are missing are read again',
    file: `${ORDERED}/open-fetch.ts`,
    find: 'if (first !== open.next || Number.isNaN(end)) {',
    replace: 'if (Number.isNaN(end)) {',
    spec: `${TEST}/open-fetch.spec.ts`,
    title: 'has the partition read again when one is missing, and takes in none behind it',
  },
  {
    name: 'the next fetch finds out what was not heard',
    file: `${ORDERED}/owned-fetcher.ts`,
    find: 'if (!(await open.closed(record, turn.position.round))) this.#readAgain(turn.partition);',
    replace: 'await open.closed(record, turn.position.round);',
    spec: OPEN_FETCHES_SPEC,
    title: 'loses nothing and keeps the order when a ring is lost, by the time that the owner fetches',
  },
  {
    name: 'what is handed over is taken in once',
    file: `${ORDERED}/open-fetch.ts`,
    find: 'if (end <= open.next) return;',
    replace: '',
    spec: `${TEST}/open-fetch.spec.ts`,
    title: 'takes nothing in twice',
  },
  {
    name: 'what is handed over early is taken in behind the reply',
    file: `${ORDERED}/open-fetch.ts`,
    find: 'if (this.#isUnderWay && given.fetch === this.#sent) this.#early.push(given);',
    replace: 'if (this.#isUnderWay && given.fetch === this.#sent) return false;',
    spec: `${TEST}/open-fetch.spec.ts`,
    title: 'keeps what comes before the reply that opens it, and takes it in behind that',
  },
  {
    name: 'a raise leaves no fetch open',
    file: `${SCRIPTS}/raise-partition.lua`,
    find: "  redis.call('HDEL', meta, 'fetches')\n",
    replace: '',
    spec: 'libs/streams/test/raise/steps.spec.ts',
    title: 'leave no fetch open behind the gate',
  },
  {
    name: 'a partition that another takes leaves no fetch open',
    file: `${SCRIPTS}/acquire.lua`,
    find: "  closeFetch(meta)\n",
    replace: '',
    spec: OPEN_FETCHES_SPEC,
    title: 'is closed when another member takes the partition',
  },
];
