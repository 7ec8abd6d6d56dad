/** The guards of the bells that wake members, and of the tender of a partition. */

const RINGS_SPEC = 'libs/streams/test/rings.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const reading = [
  {
    name: 'a publish rings',
    file: 'libs/streams/src/scripts/publish.lua',
    find: "if nextText ~= state[1] then ring(log, 'log ' .. ms .. '-' .. nextText) end",
    replace: '',
    spec: RINGS_SPEC,
    title: 'reads once or twice for a message, however many members there are',
  },
  {
    name: 'members that are not the first for a ring wait',
    file: 'libs/streams/src/read/ring-wait.ts',
    find: 'Math.min(rank * TURN_MS, LONGEST_TURN_MS)',
    replace: '0',
    spec: RINGS_SPEC,
    title: 'reads once or twice for a message, however many members there are',
  },
  {
    name: 'no more readers than there are connections for',
    file: 'libs/streams/src/read/reader-pool.ts',
    find: 'if (this.#count >= MOST_READERS) return null;',
    replace: '',
    spec: RINGS_SPEC,
    title: 'share eight connections that may block',
  },
  {
    name: 'partitions have a tender, whoever scheduled their retries',
    file: 'libs/streams/src/group/tender.ts',
    find: 'membership.tends(partition) || atStake.has(partition)',
    replace: 'atStake.has(partition)',
    spec: 'libs/streams/test/crashes/tender.spec.ts',
    title: 'the member that scheduled all retries',
  },
];
