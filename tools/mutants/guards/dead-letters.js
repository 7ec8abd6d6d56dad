/** The guards of dead letters and of their hook. */

const HOOK = 'libs/streams/src/hook/dead-letter-hook.ts';
const HOOK_SPEC = 'libs/streams/test/dead-letter-hook.spec.ts';
const BOUNDS_SPEC = 'libs/streams/test/dead-letter-bounds.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const deadLetters = [
  {
    name: 'a dead letter that a vanished process was reporting is reported by another',
    file: HOOK,
    find: "if (fate !== 'living')",
    replace: "if (fate === 'left')",
    spec: HOOK_SPEC,
    title: 'is reported by another member when its process vanished',
  },
  {
    name: 'a dead letter whose read was lost is reported',
    file: HOOK,
    find: 'own + letters.length > known.length',
    replace: 'own > Infinity',
    spec: HOOK_SPEC,
    title: 'goes to another member at a stop: one that is at work, one that waits, one whose read was lost',
  },
  {
    name: 'a member that stops leaves unreported dead letters to others',
    file: HOOK,
    find: '    await this.#letters.leave();\n',
    replace: '',
    spec: HOOK_SPEC,
    title: 'goes to another member at a stop: one that is at work, one that waits, one whose read was lost',
  },
  {
    name: 'dead letters that have crashed are reported one at a time',
    file: 'libs/streams/src/scripts/hand-over-unreported.lua',
    find: ' and not (isSuspect and suspects >= mostSuspects)',
    replace: '',
    spec: HOOK_SPEC,
    title: 'is reported alone when it may be the one that takes processes down',
  },
  {
    name: 'a dead letter that takes every process down is not reported any more',
    file: 'libs/streams/src/hook/hook-call.ts',
    find: 'crashes >= this.#parts.crashLimit',
    replace: 'crashes >= Infinity',
    spec: HOOK_SPEC,
    title: 'is not reported any more when it took down as many processes as the crash limit says',
  },
  {
    name: 'a hook begins at the end of the dead letters',
    file: 'libs/streams/src/scripts/declare-hook.lua',
    find: "redis.call('EXISTS', dead) == 1 and lastIdOf(dead) or '0-0'",
    replace: "'0-0'",
    spec: HOOK_SPEC,
    title: 'is none of before the hook was declared, and any after that',
  },
  {
    name: 'a hook that Redis has lost begins where it began',
    file: 'libs/streams/src/scripts/declare-hook.lua',
    find: "local after = redis.call('HGET', control, 'hookFrom')",
    replace: 'local after = nil',
    spec: HOOK_SPEC,
    title: 'is none of before the hook was declared, and any after that',
  },
  {
    name: 'no bound removes a dead letter that is not reported yet',
    file: 'libs/streams/src/scripts/bound-dead-letters.lua',
    find: '        if isServed then return going, unreported, last end\n',
    replace: '',
    spec: BOUNDS_SPEC,
    title: 'stay until they were reported to their handler',
  },
  {
    name: 'a dead letter that is never reported is counted',
    file: 'libs/streams/src/scripts/include/unreported.lua',
    find: "  redis.call('HINCRBY', stats, 'untold', 1)\n",
    replace: '',
    spec: BOUNDS_SPEC,
    title: 'are counted when they are',
  },
  {
    name: 'a message that a process does not know is left to newer ones for a while',
    file: 'libs/streams/src/consume/without-handler.ts',
    find: 'mostMs: rules.unknownForMs ?? 0',
    replace: 'mostMs: 0',
    spec: 'libs/streams/test/prefilter.spec.ts',
    title: 'is tried again as the same attempt, until a process knows its type',
  },
  {
    name: 'a hook of a removed group is not made again',
    file: 'libs/streams/src/scripts/declare-hook.lua',
    find: "if redis.call('HEXISTS', KEYS[3], ARGV[3]) == 0 then return -1 end\n",
    replace: '',
    spec: HOOK_SPEC,
    title: 'is removed with its group, and never comes back',
  },
];
