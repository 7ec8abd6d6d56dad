/** The guards of what wakes members, and of who looks after a partition. */

const RINGS_SPEC = 'libs/streams/test/rings.spec.ts';
const MISSED_SPEC = 'libs/streams/test/rings-missed.spec.ts';

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
    name: 'a member that becomes busy looks for itself at once',
    file: 'libs/streams/src/read/ring-wait.ts',
    find: `    this.#hints.none();
    this.#parts.feedback.ringsMissed();`,
    replace: '    this.#hints.none();',
    spec: MISSED_SPEC,
    title: 'as it has become busy, sees at once what an operator wants',
  },
  {
    name: 'a member that lost the connection for rings looks for itself at once',
    file: 'libs/streams/src/read/ring-wait.ts',
    find: `    this.#parts.feedback.ringsMissed();
    this.#wake?.();`,
    replace: '    this.#wake?.();',
    spec: MISSED_SPEC,
    title: 'as their connection was lost, sees at once what an operator wants',
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
