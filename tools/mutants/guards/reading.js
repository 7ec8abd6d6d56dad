/** The guards of the bells that wake members, and of the tender of a partition. */

const SCRIPTS = 'libs/streams/src/scripts';
const RINGS_SPEC = 'libs/streams/test/rings.spec.ts';
const READERS_SPEC = 'libs/streams/test/readers.spec.ts';
const TENDER_SPEC = 'libs/streams/test/tender-wakes.spec.ts';
const FAILED_START_SPEC = 'libs/streams/test/failed-start.spec.ts';
const PRESENCE_SPEC = 'libs/streams/test/presence.spec.ts';
const MISSED_SPEC = 'libs/streams/test/rings-missed.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const reading = [
  {
    name: 'a publish rings',
    file: 'libs/streams/src/scripts/publish.lua',
    find: "if isNew then ring(log, 'log ' .. ringId) end\n",
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
    find: `    this.#ear = null;
    this.#parts.feedback.ringsMissed();`,
    replace: '    this.#ear = null;',
    spec: MISSED_SPEC,
    title: 'as it has become busy, sees at once what an operator wants',
  },
  {
    name: 'a member that lost the connection for rings looks for itself at once',
    file: 'libs/streams/src/read/ring-wait.ts',
    find: `    this.#parts.feedback.ringsMissed();
    this.#wait.lookSoon();`,
    replace: '    this.#wait.lookSoon();',
    spec: MISSED_SPEC,
    title: 'as their connection was lost, sees at once what an operator wants',
  },
  {
    name: 'a process that hears rings no more looks for delayed messages at once',
    file: 'libs/streams/src/consume/member.ts',
    find: `    this.upkeep.tender.wake();
    this.delayed();`,
    replace: '    this.upkeep.tender.wake();',
    spec: MISSED_SPEC,
    title: 'as their connection was lost, looks at once for messages that others delayed',
  },
  {
    name: 'a message that is made to wait rings',
    file: `${SCRIPTS}/include/waiting.lua`,
    find: "  ring(group.due, 'due ' .. group.name .. string.format(' %.0f', math.max(0, due - now)))",
    replace: '',
    spec: TENDER_SPEC,
    title: 'comes as soon as there is room for it, whoever put it back',
  },
  {
    name: 'a look of an idle member comes in time to show that the group has one',
    file: 'libs/streams/src/group/idle-pause.ts',
    find: 'Math.min(longestMs, retention.dropGroupAfterMs / SIGNS_BEFORE_DROP)',
    replace: 'longestMs',
    spec: 'libs/streams/test/idle-pause.spec.ts',
    title: 'keeps its group from losing messages by drop-group, though it is paused for longer',
  },
  {
    name: 'no more readers than there are connections for',
    file: 'libs/streams/src/read/reader-pool.ts',
    find: 'if (this.#count < MOST_READERS) free.push(this.#made(key));',
    replace: 'free.push(this.#made(key));',
    spec: READERS_SPEC,
    title: 'go to others when those that have them are full',
  },
  {
    name: 'a reader is lent only when it is ready',
    file: 'libs/streams/src/read/reader-pool.ts',
    find: 'free.findIndex(({ isReady }) => isReady)',
    replace: 'free.length - 1',
    spec: READERS_SPEC,
    title: 'reads by rings when it cannot be made',
  },
  {
    name: 'a member asks again when a reader is ready',
    file: 'libs/streams/src/read/reader-pool.ts',
    find: 'this.#waiting.add(onReady);',
    replace: '',
    spec: 'libs/streams/test/guards.spec.ts',
    title: 'begins none of the messages that it still brings, and puts them back',
  },
  {
    name: 'a reader that is lost is given back',
    file: 'libs/streams/src/read/fetcher.ts',
    find: 'if (way.isBroken) this.#leaveReader();',
    replace: '',
    spec: READERS_SPEC,
    title: 'reads by rings when it is lost and cannot be made again, until it can',
  },
  {
    name: 'a member that is held up gives its reader back',
    file: 'libs/streams/src/read/fetcher.ts',
    find: 'const giveBack = setTimeout(() => this.#leaveReader(), QUIET_MS);',
    replace: 'const giveBack = undefined;',
    spec: READERS_SPEC,
    title: 'go to others when those that have them are paused',
  },
  {
    name: 'an answer takes no mark away that is newer than its question',
    file: 'libs/streams/src/group/tender.ts',
    find: '(this.#scheduled.get(partition) ?? 0) <= asked.retries',
    replace: 'true',
    spec: TENDER_SPEC,
    title: 'though the answer to a look that was sent before it was scheduled comes after that',
  },
  {
    name: 'who watches a member that leaves something behind is told',
    file: 'libs/streams/src/group/presence.ts',
    find: 'members.some(hasLeft)',
    replace: 'false',
    spec: TENDER_SPEC,
    title: 'comes to another as soon as the member has said that it is gone',
  },
  {
    name: 'a member whose start fails says goodbye',
    file: 'libs/streams/src/consume/subscription.ts',
    find: 'await running.part();',
    replace: '',
    spec: FAILED_START_SPEC,
    title: 'nobody waits for a member whose start failed, in another process',
  },
  {
    name: 'a process knows which of its own members are gone',
    file: 'libs/streams/src/group/presence.ts',
    find: "this.#present.has(number) ? 'living' : 'left'",
    replace: "'living'",
    spec: PRESENCE_SPEC,
    title: 'has left for its own process, too, which may have its next member by then',
  },
  {
    name: 'a member that is newer than a record lives',
    file: 'libs/streams/src/group/presence-record.ts',
    find: 'number <= this.#highest && ',
    replace: '',
    spec: 'libs/streams/test/presence-record.spec.ts',
    title: 'says nothing of a member that is newer, as it has joined since then',
  },
  {
    name: 'a record names no member that is gone',
    file: 'libs/streams/src/group/presence.ts',
    find: `    this.#present.delete(numberOf(member));
    this.#stopping.delete(numberOf(member));`,
    replace: '',
    spec: PRESENCE_SPEC,
    title: 'names in its record those that are there alone',
  },
  {
    name: 'partitions have a tender, whoever scheduled their retries',
    file: 'libs/streams/src/group/tender.ts',
    find: 'membership.tends(partition) || atStake.has(partition)',
    replace: 'atStake.has(partition)',
    spec: 'libs/streams/test/crashes/tender.spec.ts',
    title: 'the member that scheduled all retries',
  },
  {
    name: 'messages of a read that arrives late are put back',
    file: 'libs/streams/src/read/fetcher.ts',
    find: '    if (this.#late.takeDue()) this.#readers.doubt(null);\n',
    replace: '',
    spec: 'libs/streams/test/late-reads.spec.ts',
    title: 'a read that reaches Redis when its member has another connection already',
  },
  {
    name: 'partitions are looked after though those of another node cannot be',
    file: 'libs/streams/src/group/tender.ts',
    find: '    const unsure = this.#isStale ? await this.#verify() : null;\n',
    replace: '    const unsure = this.#isStale ? await this.#verify() : null;\n    if (unsure) throw unsure;\n',
    spec: 'libs/streams/test/node-away.spec.ts',
    title: 'one node of three is away: in %s mode (%s) the partitions of the others are published to, handled and retried',
  },
];
