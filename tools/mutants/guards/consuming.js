/** The guards of the messages that a member holds, settles and puts back. */

const SCRIPTS = 'libs/streams/src/scripts';
const SETTLE = `${SCRIPTS}/settle.lua`;
const BEGIN = `${SCRIPTS}/begin.lua`;
const PUT_BACK = `${SCRIPTS}/put-back.lua`;
const SILENCE = 'libs/streams/src/group/silence.ts';
const CONSUME = 'libs/streams/src/consume';
const READ = 'libs/streams/src/read';
const SETTLING_SPEC = 'libs/streams/test/settling.spec.ts';
const DELIVERY_SPEC = 'libs/streams/test/delivery.spec.ts';
const RACES_SPEC = 'libs/streams/test/races.spec.ts';
const PACKING_SPEC = 'libs/streams/test/packing.spec.ts';
const SILENCE_SPEC = 'libs/streams/test/silence-count.spec.ts';
const GUARDS_SPEC = 'libs/streams/test/guards.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const settling = [
  ...['ack', 'retry', 'dead', 'release'].map((outcome) => ({
    name: `the fence of ${outcome}`,
    file: SETTLE,
    find: 'if holds(entry) and',
    replace: `if (outcome == '${outcome}' or holds(entry)) and`,
    spec: SETTLING_SPEC,
    title: `refuses ${outcome} of a message of the`,
  })),
  {
    name: 'the member in the token of a settlement',
    file: SETTLE,
    find: ' and pending[2] == consumer',
    replace: '',
    spec: GUARDS_SPEC,
    title: 'does not let the former holder settle the entry',
  },
  {
    name: 'the message in the token of a settlement, after a failover',
    file: SETTLE,
    find: 'if holds(entry) and isSame(entry, ARGV[i + 8]) then',
    replace: 'if holds(entry) then',
    spec: 'libs/streams/test/failover.spec.ts',
    title: 'settles nothing of another message that has the same entry id and offset',
  },
  {
    name: 'the fence of an entry that is settled whole',
    file: SETTLE,
    find: '    if holds(ARGV[i]) then\n',
    replace: '    if true then\n',
    spec: GUARDS_SPEC,
    title: 'does not let the former holder settle the entry',
  },
  {
    name: 'the fence of entries that are settled whole together',
    file: SETTLE,
    find: 'ARGV[FIRST + whole - 1], held, consumer)',
    replace: 'ARGV[FIRST + whole - 1], held)',
    spec: SETTLING_SPEC,
    title: 'refuses the whole entry that another member holds',
  },
  {
    name: 'a settled message counts once',
    file: SETTLE,
    find: 'if open == 0 or not add[outcome] then return open end',
    replace: 'if not add[outcome] then return n end',
    spec: SETTLING_SPEC,
    title: 'counts once, also when it is',
  },
  {
    name: 'an entry is let go of with its last message',
    file: SETTLE,
    find: 'if isMarked(span[1], span[2]) then letGo(entry) end',
    replace: 'letGo(entry)',
    spec: SETTLING_SPEC,
    title: 'counts once, also when it is',
  },
  {
    name: 'a mark is taken back when what it is for cannot be added',
    file: SETTLE,
    find: "  if hasBits then redis.call('SETBIT', bitmaps[math.floor(first / page)], first % page, 0) end\n",
    replace: '',
    spec: SETTLING_SPEC,
    title: 'does not lose the message of a',
  },
  {
    name: 'a settlement that fails counts what it had settled until then',
    file: SETTLE,
    find: `local good, failure = pcall(function()
  learnHoldings()
  settleWhole()
  for i = FIRST + whole, behindRuns, FIELDS do settle(i) end
end)
`,
    replace: `local good, failure = true, nil
learnHoldings()
settleWhole()
for i = FIRST + whole, behindRuns, FIELDS do settle(i) end
`,
    spec: SETTLING_SPEC,
    title: 'counts the messages that it had settled until then',
  },
  {
    name: 'a full Redis is given nothing more to keep',
    file: `${CONSUME}/settler.ts`,
    find: 'isAdding ? settleAndAdd : settle',
    replace: 'isAdding ? settle : settle',
    spec: 'libs/streams/test/full-redis.spec.ts',
    title: 'F15 full: successes are settled',
  },
  {
    name: 'a full Redis takes what ends well',
    file: `${CONSUME}/settler.ts`,
    find: "if (failure.kind === 'back-pressure') open = this.#keepAdding(stream, open);",
    replace: '',
    spec: 'libs/streams/test/full-redis.spec.ts',
    title: 'F15 full: successes are settled',
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
    name: 'an entry that is given again skips what was settled',
    file: `${CONSUME}/read-history.ts`,
    find: 'return deliveries.filter((_, index) => settled[index] === 0);',
    replace: 'return deliveries;',
    spec: 'libs/streams/test/faults.spec.ts',
    title: 'XGROUP DESTROY without a living member: the next member does not handle settled messages again',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const holding = [
  {
    name: 'a member checks its held messages after others may have taken them',
    file: `${CONSUME}/held-entries.ts`,
    find: 'this.#verified === this.#returns && this.#parts.presence.isSure',
    replace: 'this.#parts.presence.isSure',
    spec: 'libs/streams/test/held-entries.spec.ts',
    title: 'is stale while other members may have taken the process for dead, until its owner was looked up afterwards',
  },
  {
    name: 'a message that becomes stale during the check stays stale',
    file: `${CONSUME}/held-entries.ts`,
    find: 'this.#verified = returns;',
    replace: 'this.#verified = this.#returns;',
    spec: 'libs/streams/test/held-entries.spec.ts',
    title: 'stays stale when it became stale again while its owner was looked up',
  },
  {
    name: 'a message that Redis does not know is given up',
    file: `${CONSUME}/held-entries.ts`,
    find: '!ids.has(entry.id)) this.lost(entry)',
    replace: 'false) this.lost(entry)',
    spec: 'libs/streams/test/held-entries.spec.ts',
    title: 'is given up when Redis does not list it any more',
  },
  {
    name: 'the member in the token of a beginning',
    file: BEGIN,
    find: 'if not pending or pending[2] ~= ARGV[2] then',
    replace: 'if not pending then',
    spec: GUARDS_SPEC,
    title: 'does not let the former holder begin the entry',
  },
  {
    name: 'messages of a read whose reply was lost are put back',
    file: `${READ}/connection-reader.ts`,
    find: '    if (wasDoubtful) await feedback.rejoin(this.places);\n',
    replace: '',
    spec: RACES_SPEC,
    title: 'R12 of a read: its messages are handled once',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const sharing = [
  {
    name: 'no more is fetched than there are slots for',
    file: `${READ}/fetch-plan.ts`,
    find: 'Math.max(1, Math.min(MOST_ENTRIES, Math.floor(room / this.#sizeOf(stream))))',
    replace: 'Math.max(1, room)',
    spec: PACKING_SPEC,
    title: 'takes entries of several messages only as it has slots for them',
  },
  {
    name: 'a message that waits for a slot goes back to the group',
    file: `${CONSUME}/handler-slots.ts`,
    find: 'if (this.#lookAtMs !== null || (this.#inHand <= this.#most && !this.#queue.hasSuspects)) return;',
    replace: 'if (true) return;',
    spec: PACKING_SPEC,
    title: 'puts back the messages that wait for a slot',
  },
  {
    name: 'messages that were put back come before new ones',
    file: `${CONSUME}/dispatcher.ts`,
    find: 'for (const delivery of deliveries) this.#parts.feedback.overFetched(delivery);',
    replace: '',
    spec: PACKING_SPEC,
    title: 'handles the messages that it put back before it takes more from the log',
  },
  {
    name: 'a stream with what was given back is first for no more than that',
    file: `${READ}/fetch-plan.ts`,
    find: "if (stream.kind === 'again') this.#addOverFetched(stream, -messages);",
    replace: "if (stream.kind === 'again') return;",
    spec: PACKING_SPEC,
    title: 'handles the messages that it put back first, and then all other waiting ones in turn',
  },
  {
    name: 'a message without a permit is not handled',
    file: `${CONSUME}/rate-limiter.ts`,
    find: 'if (this.#inHand <= 0) return false;',
    replace: '',
    spec: PACKING_SPEC,
    title: 'handles as many messages of an entry as the rate allows',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const putBack = [
  {
    name: 'a process that was found dead is remembered',
    file: SILENCE,
    find: 'this.#remember(process, heard.words);',
    replace: 'void 0;',
    spec: SILENCE_SPEC,
    title: 'is remembered when nobody has looked for a while',
  },
  {
    name: 'a process that has said something since it was found dead lives',
    file: SILENCE,
    find: 'return words === null || words === last ?',
    replace: 'return words !== undefined ?',
    spec: SILENCE_SPEC,
    title: 'is forgotten when it has said something since',
  },
  {
    name: 'a process that was found dead is looked at once more before it counts as dead again',
    file: SILENCE,
    find: 'silentMs: this.#deadAfterMs - this.#beatMs }',
    replace: 'silentMs: this.#deadAfterMs }',
    spec: SILENCE_SPEC,
    title: 'is remembered when nobody has looked for a while',
  },
  {
    name: 'only silence is death',
    file: SILENCE,
    find: 'return this.#isDeath(this.#heard.get(process));',
    replace: 'return this.#heard.has(process);',
    spec: SILENCE_SPEC,
    title: 'ends in death after 0.9 of a lease of answered looks',
  },
  {
    name: 'a look tells of two beats of silence at the most',
    file: SILENCE,
    find: 'Math.min(Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs)), this.#mostMs)',
    replace: 'Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs))',
    spec: SILENCE_SPEC,
    title: 'grows by two beats a look at the most',
  },
  {
    name: 'an outage makes nobody silent',
    file: SILENCE,
    find: 'Math.min(Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs)), this.#mostMs)',
    replace: 'Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs))',
    spec: SILENCE_SPEC,
    title: 'does not grow over an outage',
  },
  {
    name: 'a beat goes over the connection that answers',
    file: 'libs/streams/src/group/presence.ts',
    find: '    this.#turn += 1;\n    return 0;',
    replace: '    return 0;',
    spec: 'libs/streams/test/presence.spec.ts',
    title: 'goes over the other connection while only the control connection is a black hole',
  },
  {
    name: 'a begun message is marked',
    file: BEGIN,
    find: "redis.call('HSET', KEYS[2], ARGV[3], 1)\n",
    replace: '',
    spec: SETTLING_SPEC,
    title: 'counts further crashes only for messages that were marked as begun',
  },
  {
    name: 'a message that vanished with a process is marked before it is handled',
    file: `${CONSUME}/dispatcher.ts`,
    find: '    else if (first.crashes > 0) void this.#beginLone(batch, first);\n',
    replace: '',
    spec: DELIVERY_SPEC,
    title: 'ends a message that takes every process down as a crash loop',
  },
  {
    name: 'a further crash counts only for what was begun',
    file: PUT_BACK,
    find: "if crashes == 0 or redis.call('HEXISTS', begun, id) == 1 then",
    replace: 'if true then',
    spec: SETTLING_SPEC,
    title: 'counts further crashes only for messages that were marked as begun',
  },
  {
    name: 'a member that left counts no crash',
    file: PUT_BACK,
    find: 'if not vanished then return crashes end\n',
    replace: '',
    spec: SETTLING_SPEC,
    title: 'counts no crash for a member that left, or was stopping, though it had begun',
  },
  {
    name: 'a settled message is not put back',
    file: PUT_BACK,
    find: "if redis.call('GETBIT', bitmap, offset % page) == 0 then",
    replace: 'if true then',
    spec: SETTLING_SPEC,
    title: 'puts back only the unsettled messages of an entry',
  },
  {
    name: 'a living member keeps what it believes in',
    file: PUT_BACK,
    find: 'if not kept[id] then',
    replace: 'if true then',
    spec: SETTLING_SPEC,
    title: 'R10 gives a message that is put back a new token',
  },
  {
    name: 'the mark of what cannot be put back is taken back',
    file: PUT_BACK,
    find: "    redis.call('SETBIT', bitmap, bit, 0)\n",
    replace: '',
    spec: SETTLING_SPEC,
    title: 'leaves all as it was while `again` cannot take anything',
  },
  {
    name: 'suspects are handled one at a time in a process',
    file: `${CONSUME}/dispatcher.ts`,
    find: 'this.#slots.wantsLoneSlot && this.#parts.loneSlot.take(this.#onLoneSlotFree)',
    replace: 'this.#slots.wantsLoneSlot',
    spec: 'libs/streams/test/lone-suspects.spec.ts',
    title: 'are handled one at a time, whatever group of the process they belong to',
  },
  {
    name: 'suspects are handled one at a time in a subscription',
    file: `${CONSUME}/delivery-queue.ts`,
    find: 'return this.hasSuspects && !this.#suspect;',
    replace: 'return this.hasSuspects;',
    spec: 'libs/streams/test/handler-slots.spec.ts',
    title: 'alone where their process vanished, and have their slot until they are settled',
  },
  {
    name: 'nothing is fetched while too many outcomes wait for Redis',
    file: `${CONSUME}/handler-slots.ts`,
    find: ' || this.#unsettled >= MOST_UNSETTLED',
    replace: '',
    spec: 'libs/streams/test/handler-slots.spec.ts',
    title: 'not while too many outcomes wait for Redis',
  },
  {
    name: 'putting back goes on where it was',
    file: 'libs/streams/src/redeliver/put-back.ts',
    find: 'after = next;',
    replace: 'after = END;',
    spec: SETTLING_SPEC,
    title: 'R9 reaches all messages behind pages of entries that others hold',
  },
  {
    name: 'a member that holds anything is not forgotten',
    file: `${SCRIPTS}/forget-member.lua`,
    find: "  if #redis.call('XPENDING', stream, group, '-', '+', 1, member) > 0 then return 0 end\n",
    replace: '',
    spec: SETTLING_SPEC,
    title: 'R16 forgets no member that holds anything',
  },
  {
    name: 'the crash limit',
    file: `${CONSUME}/without-handler.ts`,
    find: 'delivery.crashes >= crashLimit',
    replace: 'delivery.crashes >= Number.POSITIVE_INFINITY',
    spec: DELIVERY_SPEC,
    title: 'ends a message that takes every process down as a crash loop',
  },
  {
    name: 'the clock is looked at before each message that begins',
    file: 'libs/streams/src/consume/dispatcher.ts',
    find: '      this.#begin(batch);\n      now = this.#now();\n',
    replace: '      this.#begin(batch);\n',
    spec: 'libs/streams/test/blocked-loop.spec.ts',
    title: 'begins none that others may have by now: shared',
  },
  {
    name: 'no entry is judged while the member looks what is given again',
    file: 'libs/streams/src/consume/read-history.ts',
    find: 'return isToLook ? this.learn() : this.#learning;',
    replace: 'return isToLook ? this.learn() : Promise.resolve();',
    spec: 'libs/streams/test/read-history.spec.ts',
    title: 'are left out of all entries of a read',
  },
];
