/** The guards of what a member holds, settles and takes over. */

const SCRIPTS = 'libs/streams/src/scripts';
const SETTLE = `${SCRIPTS}/settle.lua`;
const HEARTBEAT = `${SCRIPTS}/heartbeat.lua`;
const RECLAIM = `${SCRIPTS}/reclaim.lua`;
const CONSUME = 'libs/streams/src/consume';
const SETTLING_SPEC = 'libs/streams/test/settling.spec.ts';
const DELIVERY_SPEC = 'libs/streams/test/delivery.spec.ts';
const RACES_SPEC = 'libs/streams/test/races.spec.ts';
const PACKING_SPEC = 'libs/streams/test/packing.spec.ts';
const GUARDS_SPEC = 'libs/streams/test/guards.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const settling = [
  ...['ack', 'retry', 'dead', 'release'].map((outcome) => ({
    name: `the fence of ${outcome}`,
    file: SETTLE,
    find: 'if holds(entry, ARGV[i + 1]) and',
    replace: `if (outcome == '${outcome}' or holds(entry, ARGV[i + 1])) and`,
    spec: SETTLING_SPEC,
    title: `refuses ${outcome} of a message of the`,
  })),
  {
    name: 'the member in the token of a settlement',
    file: SETTLE,
    find: 'pending[2] == member and',
    replace: '',
    spec: GUARDS_SPEC,
    title: 'does not have it settled by the one that held it before',
  },
  {
    name: 'the delivery count in the token of a settlement',
    file: SETTLE,
    find: ' and pending[4] == tonumber(count)',
    replace: '',
    spec: SETTLING_SPEC,
    title: 'refuses the same member with an older delivery count',
  },
  {
    name: 'the message in the token of a settlement, after a failover',
    file: SETTLE,
    find: 'if holds(entry, ARGV[i + 1]) and isSame(entry, ARGV[i + 9]) then',
    replace: 'if holds(entry, ARGV[i + 1]) then',
    spec: 'libs/streams/test/failover.spec.ts',
    title: 'settles nothing of another message that has the same entry id and offset',
  },
  {
    name: 'a settled message counts once',
    file: SETTLE,
    find: "local open = bit < 0 or redis.call('GETBIT', bitmap, bit) == 0",
    replace: 'local open = true',
    spec: SETTLING_SPEC,
    title: 'counts once, also when it is',
  },
  {
    name: 'an entry is let go of with its last message',
    file: SETTLE,
    find: '  if not isEmptied then return end\n',
    replace: '',
    spec: SETTLING_SPEC,
    title: 'counts once, also when it is',
  },
  {
    name: 'settle adds before it marks',
    file: SETTLE,
    find: `    if open then add[outcome](first, second, offset) end
    if open and bit >= 0 then redis.call('SETBIT', bitmap, bit, 1) end
`,
    replace: `    if open and bit >= 0 then redis.call('SETBIT', bitmap, bit, 1) end
    if open then add[outcome](first, second, offset) end
`,
    spec: SETTLING_SPEC,
    title: 'does not lose the message of a',
  },
  {
    name: 'a settlement that fails counts what it had settled until then',
    file: SETTLE,
    find: `local good, failure = pcall(function()
  for i = FIRST, #ARGV, FIELDS do settle(i) end
end)
`,
    replace: `local good, failure = true, nil
for i = FIRST, #ARGV, FIELDS do settle(i) end
`,
    spec: SETTLING_SPEC,
    title: 'counts what it had settled until then',
  },
  {
    name: 'the repetition of a settlement says that it is one',
    file: `${CONSUME}/settler.ts`,
    find: "repeated ||= failure.kind !== 'unsent';",
    replace: '',
    spec: GUARDS_SPEC,
    title: 'is not refused when it is sent again',
  },
  {
    name: 'a redelivered entry skips what was settled',
    file: `${CONSUME}/intake.ts`,
    find: 'return work.filter((_, index) => settled[index] === 0);',
    replace: 'return work;',
    spec: DELIVERY_SPEC,
    title: 'are handled message by message, and a redelivered one skips what was settled',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const holding = [
  {
    name: 'the fence of the heartbeat',
    file: HEARTBEAT,
    find: 'if pending and pending[2] == member and pending[4] == tonumber(ARGV[i + 2]) then',
    replace: 'if pending then',
    spec: SETTLING_SPEC,
    title: 'R2 a stale heartbeat does not take back what another member took over',
  },
  {
    name: 'the member in the token of a heartbeat',
    file: HEARTBEAT,
    find: 'pending[2] == member and',
    replace: '',
    spec: GUARDS_SPEC,
    title: 'does not have it renewed by the one that held it before',
  },
  {
    name: 'the delivery count in the token of a heartbeat',
    file: HEARTBEAT,
    find: ' and pending[4] == tonumber(ARGV[i + 2])',
    replace: '',
    spec: SETTLING_SPEC,
    title: 'does not renew a holding that the same member has lost and won again',
  },
  {
    name: 'what is held is renewed, what waits for a slot too',
    file: 'libs/streams/src/group/heartbeat.ts',
    find: 'const entries = held.in(partition);',
    replace: 'const entries = held.in(partition).slice(0, 0);',
    spec: RACES_SPEC,
    title: 'R3 what waits for a slot is renewed as well',
  },
  {
    name: 'what came past its lease is not begun',
    file: `${CONSUME}/held-entries.ts`,
    find: 'if (this.#hasRunOut(entry)) this.lost(entry);',
    replace: '',
    spec: 'libs/streams/test/held-entries.spec.ts',
    title: 'is not begun when its lease has run out by the clock of its process',
  },
  {
    name: 'a member that was away beats before it reads',
    file: `${CONSUME}/fetcher.ts`,
    find: 'if (this.#problem !== null) await rejoin();',
    replace: '',
    spec: RACES_SPEC,
    title: 'after a while without Redis a member says that it lives before it reads',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const sharing = [
  {
    name: 'no more is fetched than there are slots for',
    file: `${CONSUME}/portions.ts`,
    find: 'Math.max(1, Math.floor(room / this.#sizeOf(stream)))',
    replace: 'Math.max(1, room)',
    spec: PACKING_SPEC,
    title: 'takes entries of several messages only as it has slots for them',
  },
  {
    name: 'no more is taken over than there are slots for',
    file: RECLAIM,
    find: 'messages = messages + messagesIn(claimed[1], claimed[2])',
    replace: 'messages = messages + 1',
    spec: PACKING_SPEC,
    title: 'takes over entries of several messages only as it has slots for them',
  },
  {
    name: 'what waits for a slot goes back to the group',
    file: `${CONSUME}/dispatcher.ts`,
    find: 'if (this.#paused || this.#excess <= 0) {',
    replace: 'if (true) {',
    spec: PACKING_SPEC,
    title: 'gives back what waits for a slot, and others handle it',
  },
  {
    name: 'what was given back comes before what is new',
    file: `${CONSUME}/dispatcher.ts`,
    find: 'for (const item of work) this.#parts.gaveBack(item);',
    replace: '',
    spec: PACKING_SPEC,
    title: 'handles what it gave back before it takes more from the log',
  },
  {
    name: 'a stream with what was given back is first for no more than that',
    file: `${CONSUME}/portions.ts`,
    find: "if (stream.kind === 'retry') this.#addGivenBack(stream, -messages);",
    replace: "if (stream.kind === 'retry') return;",
    spec: PACKING_SPEC,
    title: 'handles what it gave back first, and no more of what waits with it than its turn',
  },
  {
    name: 'a message without a permit is not handled',
    file: `${CONSUME}/permits.ts`,
    find: 'if (this.#inHand <= 0) return false;',
    replace: '',
    spec: PACKING_SPEC,
    title: 'handles of an entry as many as the rate allows',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const reclaiming = [
  {
    name: 'a living member keeps what it has',
    file: RECLAIM,
    find: 'elseif now - tonumber(beat) > lease then',
    replace: 'elseif true then',
    spec: SETTLING_SPEC,
    title: 'leaves a living member what it has',
  },
  {
    name: 'a member that never beat has a grace',
    file: RECLAIM,
    find: 'grace[owner] = math.floor(lease / 3)',
    replace: 'grace[owner] = -1',
    spec: SETTLING_SPEC,
    title: 'leaves a member that has never beaten what it has',
  },
  {
    name: 'what a silent member has is taken at once',
    file: RECLAIM,
    find: 'return idle > graceOf(owner)',
    replace: 'return idle > lease',
    spec: SETTLING_SPEC,
    title: 'takes what a silent member has at once',
  },
  {
    name: 'a read whose reply was lost is looked for',
    file: RECLAIM,
    find: 'if owner == member then return not held[entry] end',
    replace: 'if owner == member then return false end',
    spec: SETTLING_SPEC,
    title: 'takes back what the caller was given in a reply that it never got',
  },
  {
    name: 'reclaiming goes on where it was',
    file: 'libs/streams/src/redeliver/reclaimer.ts',
    find: "this.#after.get(stream) ?? '-'",
    replace: "'-'",
    spec: RACES_SPEC,
    title: 'finds what a vanished member held behind pages of what others hold',
  },
  {
    name: 'a member that holds anything is not forgotten',
    file: `${SCRIPTS}/forget-members.lua`,
    find: 'if not holdsAny(member) then',
    replace: 'if true then',
    spec: SETTLING_SPEC,
    title: 'R16 forgets no member that holds anything',
  },
  {
    name: 'which of those whose process vanished is first is chosen among all of them',
    file: `${CONSUME}/work-queue.ts`,
    find: 'this.#isGathering = isGathering;',
    replace: '',
    spec: RACES_SPEC,
    title: 'takes no others with it, also when its partition is the first that is looked through',
  },
  {
    name: 'the crash limit',
    file: `${CONSUME}/without-handler.ts`,
    find: 'work.crashes >= crashLimit',
    replace: 'work.crashes >= Number.POSITIVE_INFINITY',
    spec: DELIVERY_SPEC,
    title: 'ends a message that takes every process down as a crash loop',
  },
];
