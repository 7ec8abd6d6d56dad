/** The guards of a topic that is given more partitions: no message misplaced, and the order of each key kept. */

const SCRIPTS = 'libs/streams/src/scripts';
const RAISE_SPEC = 'libs/streams/test/raise/raise.spec.ts';
const MOVE_SPEC = 'libs/streams/test/raise/move.spec.ts';
const KEYS_SPEC = 'libs/streams/test/raise/keys.spec.ts';
const STEPS_SPEC = 'libs/streams/test/raise/steps.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const raising = [
  {
    name: 'a partition refuses messages that were routed by another number of partitions',
    file: `${SCRIPTS}/publish.lua`,
    find: "if state[4] and state[4] ~= ARGV[9] then return 'MOVED' end\n",
    replace: '',
    spec: RAISE_SPEC,
    title: 'learns of it from a partition that refuses it',
  },
  {
    name: 'a publisher moves no message while a batch is on its way to an old partition',
    file: 'libs/streams/src/publish/topic-publisher.ts',
    find: '      await Promise.all(this.#all.map(({ batcher }) => batcher.halt()));\n',
    replace: '',
    spec: MOVE_SPEC,
    title: 'sends nothing to new partitions while a batch is on its way',
  },
  {
    name: 'a raise begins only when none is under way',
    file: `${SCRIPTS}/raise-count.lua`,
    find: "count == from and target == '' then",
    replace: 'count == from then',
    spec: STEPS_SPEC,
    title: 'begins only when none is under way',
  },
  {
    name: 'an owner reads nothing from after a raise before its gate is open',
    file: `${SCRIPTS}/fetch.lua`,
    find: 'if tonumber(to) > passed then return',
    replace: 'if false then return',
    spec: RAISE_SPEC,
    title: 'begins nothing from after the raise before all from before it is settled',
  },
  {
    name: 'old partitions have a gate where keys move into them',
    file: 'libs/streams/src/log/partition-raise.ts',
    find: 'isNew || to % from !== 0 ?',
    replace: 'isNew ?',
    spec: RAISE_SPEC,
    title: 'begins nothing from after the raise before all from before it is settled',
  },
  {
    name: 'a gate opens when nothing from before the raise is unread',
    file: `${SCRIPTS}/look-drained.lua`,
    find: " or isBefore(at, log, '(' .. delivered)",
    replace: '',
    spec: STEPS_SPEC,
    title: 'are settled when none is unread',
  },
  {
    name: 'a gate opens when no owner holds a message from before the raise',
    file: `${SCRIPTS}/look-drained.lua`,
    find: '  if pending > 0 and isHeldBefore(at, log) then return 0 end\n',
    replace: '',
    spec: STEPS_SPEC,
    title: 'are settled when none is unread',
  },
  {
    name: 'a gate opens when no key from before the raise waits for an operator',
    file: `${SCRIPTS}/look-drained.lua`,
    find: "    if offset and tonumber(offset) < at then return name end\n",
    replace: '',
    spec: STEPS_SPEC,
    title: 'are settled when none is unread',
  },
  {
    name: 'a gate is held by no key that was put aside after the raise',
    file: `${SCRIPTS}/look-drained.lua`,
    find: 'if offset and tonumber(offset) < at then',
    replace: 'if offset then',
    spec: RAISE_SPEC,
    title: 'is held back by no key that waits for an operator since the raise',
  },
  {
    name: 'a gate opens when all keys that were put aside are looked at',
    file: 'libs/streams/src/ordered/raise-gates.ts',
    find: "if (!all.includes('further')) ",
    replace: '',
    spec: STEPS_SPEC,
    title: 'are looked for page by page among many keys',
  },
  {
    name: 'a repeated step of a raise leaves the end of what was before',
    file: `${SCRIPTS}/raise-partition.lua`,
    find: "if (tonumber(state[2] or nil) or 0) >= tonumber(to) then return 'OK' end\n",
    replace: '',
    spec: STEPS_SPEC,
    title: 'end where the raise found them',
  },
  {
    name: 'groups are made in new partitions by the raise, from their beginning on',
    file: 'libs/streams/src/log/partition-raise.ts',
    find: 'for (const group of groups) {\n',
    replace: 'for (const group of [] as string[]) {\n',
    spec: RAISE_SPEC,
    title: 'makes the new partitions, and the groups in them',
  },
  {
    name: 'an idempotency key is looked up where it belonged before a raise',
    file: 'libs/streams/src/publish/topic-claimers.ts',
    find: 'if (counts.isKnown(name) && earlier().length === 0) return claimer;',
    replace: 'if (earlier().length >= 0) return claimer;',
    spec: KEYS_SPEC,
    title: 'is known after it',
  },
  {
    name: 'a claim from before a raise is no message',
    file: `${SCRIPTS}/publish.lua`,
    find: '  if use and isOwnClaim(use, i) then use = false end\n',
    replace: '',
    spec: KEYS_SPEC,
    title: 'that was claimed, and whose message was not stored',
  },
];
