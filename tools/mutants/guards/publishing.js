/** The guards of publishes, of groups, and of retention. */

const SCRIPTS = 'libs/streams/src/scripts';
const PUBLISH = `${SCRIPTS}/publish.lua`;
const CLOSE = `${SCRIPTS}/close.lua`;
const CONSUME = 'libs/streams/src/consume';
const SETTLING_SPEC = 'libs/streams/test/settling.spec.ts';
const DELIVERY_SPEC = 'libs/streams/test/delivery.spec.ts';
const PUBLISH_SPEC = 'libs/streams/test/publish.spec.ts';
const IN_FLIGHT_SPEC = 'libs/streams/test/in-flight.spec.ts';
const IDEMPOTENCY_SPEC = 'libs/streams/test/idempotency.spec.ts';
const GUARDS_SPEC = 'libs/streams/test/guards.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const publishing = [
  {
    name: 'a clock that was set back hides no idempotency key',
    file: `${SCRIPTS}/include/idempotency-windows.lua`,
    find: 'math.abs(other - number) == 1',
    replace: 'other == number - 1',
    spec: 'libs/streams/test/idempotency.spec.ts',
    title: 'is a duplicate also when the clock of Redis was set back',
  },
  {
    name: 'a batch that was not answered is reported as stored',
    file: CLOSE,
    find: "  if number > last then redis.call('HSET', producers, field, '-') end\n",
    replace: "  redis.call('HSET', producers, field, '-')\n",
    spec: PUBLISH_SPEC,
    title: 'R14 publish reply lost: one message is stored',
  },
  {
    name: 'a batch that comes after its successor, or after its end, is refused',
    file: PUBLISH,
    find: "return sequence <= last and 'STALE' or 'GAP ' .. last end",
    replace: "if sequence > last then return 'GAP ' .. last end end",
    spec: IN_FLIGHT_SPEC,
    title: 'the number of a batch',
  },
  {
    name: 'a gap is not accepted',
    file: PUBLISH,
    find: 'if sequence ~= last + 1 then',
    replace: 'if sequence <= last then',
    spec: IN_FLIGHT_SPEC,
    title: 'is stored once, and only behind the number before it: a gap stores nothing',
  },
  {
    name: 'batches in doubt are closed before they are sent again',
    file: 'libs/streams/src/publish/recovery.ts',
    find: "if (batches.some(({ answer }) => isInDoubt(answer) || answer!.kind === 'stored')) this.#doubt(batches);\n    else await",
    replace: 'await',
    spec: PUBLISH_SPEC,
    title: 'R14 publish reply lost: one message is stored',
  },
  {
    name: 'repeated messages come before later ones',
    file: 'libs/streams/src/publish/publish-queue.ts',
    find: 'this.#set([...items, ...this.#items]);',
    replace: 'this.#set([...this.#items, ...items]);',
    spec: IN_FLIGHT_SPEC,
    title: 'keep their order, each stored once, when',
  },
  {
    name: 'a Redis that lost confirmed batches is reported',
    file: 'libs/streams/src/publish/recovery.ts',
    find: "    emit('publishes-lost', {",
    replace: "    void ({",
    spec: IN_FLIGHT_SPEC,
    title: 'go on as another producer when Redis lost batches that it had confirmed, and emit that',
  },
  {
    name: 'the record that reveals a repetition outlives the last one',
    file: PUBLISH,
    find: 'keptUntil = math.max(keptUntil, age + ARGV[3] + KEPT_LONGER)',
    replace: 'keptUntil = age + KEPT_LONGER',
    spec: IN_FLIGHT_SPEC,
    title: 'is kept for as long as the publish may be tried',
  },
  {
    name: 'a step of the clock makes no record of a producer old',
    file: `${SCRIPTS}/include/producers.lua`,
    find: 'math.min(now - agedAt, 300000)',
    replace: 'now - agedAt',
    spec: 'libs/streams/test/crashes/clock-step.spec.ts',
    title: 'by two hours between a batch and its repetition',
  },
  {
    name: 'a publish with a delay rings',
    file: PUBLISH,
    find: "if not hasRung then ring(log, 'delayed') end",
    replace: '',
    spec: 'libs/streams/test/delay.spec.ts',
    title: 'moves on by an idle member when the process that published it has ended',
  },
  {
    name: 'idempotency keys of the previous window are known',
    file: PUBLISH,
    find: 'uses[i + 1] or usesBefore[i + 1] or false',
    replace: 'uses[i + 1] or false',
    spec: PUBLISH_SPEC,
    title: 'are remembered from the previous window, and forgotten after two',
  },
  {
    name: 'a payload with an idempotency key has sorted names, on the quick way',
    file: 'libs/core/src/contract/flat-form.ts',
    find: 'isSorted ? this.#sorted : this.#record',
    replace: 'this.#record',
    spec: 'libs/core/test/flat-class.spec.ts',
    title: 'has sorted names and is otherwise the payload',
  },
  {
    name: 'a payload with an idempotency key has sorted names, on the whole way',
    file: 'libs/core/src/contract/payload.ts',
    find: 'isSorted ? sortedJson(JSON.parse(json)) : json',
    replace: 'json',
    spec: 'libs/core/test/flat-class.spec.ts',
    title: 'has sorted names and is otherwise the payload',
  },
  {
    name: 'idempotency keys are forgotten after two windows',
    file: `${SCRIPTS}/include/idempotency-windows.lua`,
    find: 'if math.abs(other - number) == 1 then',
    replace: 'if true then',
    spec: PUBLISH_SPEC,
    title: 'are remembered from the previous window, and forgotten after two',
  },
  {
    name: 'the same idempotency key with another payload is refused',
    file: PUBLISH,
    find: "(isSame and '=' or '!')",
    replace: "'='",
    spec: DELIVERY_SPEC,
    title: 'refuses the same key with another payload',
  },
  {
    name: 'an idempotency key is claimed for its topic',
    file: 'libs/streams/src/publish/partitioner.ts',
    find: 'return claiming === partition ? null : claiming;',
    replace: 'return null;',
    spec: IDEMPOTENCY_SPEC,
    title: 'with different payloads, in any partitions',
  },
  {
    name: 'a claim lives as long as what is stored with it',
    file: PUBLISH,
    find: "if claimedIn and claimedIn < number then return 'UNCLAIMED' end\n",
    replace: '',
    spec: IDEMPOTENCY_SPEC,
    title: 'lasts as long as its message is remembered',
  },
  {
    name: 'a claim that was lost is put again',
    file: 'libs/streams/src/publish/recovery.ts',
    find: 'for (const item of batch) if (isKeyed(item)) item.use.claimFor(item);',
    replace: '',
    spec: IDEMPOTENCY_SPEC,
    title: 'is sent again when Redis lost it before the message was stored',
  },
  {
    name: 'nothing is published to a log that is gone',
    file: PUBLISH,
    find: "if redis.call('EXISTS', log) == 0 then return 'UNDECLARED' end\n",
    replace: '',
    spec: PUBLISH_SPEC,
    title: 'give the next offset from the meta when only the log is lost',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const groups = [
  {
    name: 'due messages stay where they are while `again` is gone',
    file: `${SCRIPTS}/tend.lua`,
    find: " or not addHeld(members, again, name, 2) then return 'UNDECLARED' end",
    replace: " then return 'UNDECLARED' end",
    spec: SETTLING_SPEC,
    title: 'keeps a retry that is due while `again` is gone',
  },
  {
    name: 'a new group starts at the earliest entry',
    file: `${SCRIPTS}/declare-group.lua`,
    find: "isPlaced and ARGV[2] or '0')",
    replace: "isPlaced and ARGV[2] or '$')",
    spec: GUARDS_SPEC,
    title: 'gives the entry again, from the earliest on',
  },
  {
    name: 'a group that is there already is no failure',
    file: `${SCRIPTS}/declare-group.lua`,
    find: "    if string.find(reply.err, 'BUSYGROUP', 1, true) then return 0 end\n",
    replace: '',
    spec: DELIVERY_SPEC,
    title: 'delivers each message to every group, and inside a group to one member',
  },
  {
    name: 'putting a message back counts no attempt',
    file: `${CONSUME}/settlement.ts`,
    find: "return ['release', waitingOf(delivery, { attempt: delivery.attempt,",
    replace: "return ['release', waitingOf(delivery, { attempt: delivery.attempt + 1,",
    spec: GUARDS_SPEC,
    title: 'begins none of them, and puts them back with the attempt that they were at',
  },
  {
    name: 'no handler starts after stop',
    file: `${CONSUME}/pause-control.ts`,
    find: '    dispatcher.pause();\n',
    replace: '',
    spec: GUARDS_SPEC,
    title: 'begins none of the messages that it still brings, and puts them back',
  },
];

const TRIM = `${SCRIPTS}/trim.lua`;
const RETENTION_SPEC = 'libs/streams/test/retention.spec.ts';

/** The floor that no trim may pass. @type {import('../guards.js').Guard[]} */
export const retention = [
  {
    name: 'a trim stops at what was not delivered',
    file: TRIM,
    find: 'if not group.delivered or isBefore(group.delivered, id) then return true end',
    replace: '',
    spec: RETENTION_SPEC,
    title: 'never removes messages that a group has not settled',
  },
  {
    name: 'a trim stops at what is in hand',
    file: TRIM,
    find: 'return group.pending and not isBefore(id, group.pending)',
    replace: 'return false',
    spec: RETENTION_SPEC,
    title: 'removes nothing that a group has not settled, though some are slow',
  },
  {
    name: 'a trim heeds no group that was removed since the look',
    file: TRIM,
    find: "if not group.start and not group.delivered then return 'AGAIN' end",
    replace: '',
    spec: 'libs/streams/test/removal.spec.ts',
    title: 'does nothing: the group neither holds the log nor gets a counter again',
  },
  {
    name: 'a dropped message counts as settled',
    file: TRIM,
    find: "    redis.call('HINCRBY', KEYS[group.key + 1], 'settled', group.dropped)\n",
    replace: '',
    spec: RETENTION_SPEC,
    title: 'drops unsettled messages when overflow allows it',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const operating = [
  {
    name: 'a dead letter is redriven once',
    file: `${SCRIPTS}/redrive.lua`,
    find: "if #redis.call('XRANGE', dead, id, id) == 0 then",
    replace: 'if false then',
    spec: 'libs/streams/test/dead-letters.spec.ts',
    title: 'R25 puts each dead letter back once',
  },
  {
    name: 'a redrive takes as many as fit',
    file: 'libs/streams/src/redeliver/dead-letters.ts',
    find: 'return batch.slice(0, messages);',
    replace: 'return batch;',
    spec: 'libs/streams/test/dead-letters.spec.ts',
    title: 'redrives as many as fit to a topic that has room for some of them',
  },
  {
    name: 'a seek takes nothing from a living member',
    file: `${SCRIPTS}/seek.lua`,
    find: 'if isPreview or held > 0 then',
    replace: 'if isPreview then',
    spec: 'libs/streams/test/groups.spec.ts',
    title: 'does not take from a living member the messages that it holds',
  },
  {
    name: 'the inbox tells a replay from what was handled before it',
    file: 'libs/core/src/delivery/delivery.ts',
    find: '`${message.id}#${replay}`',
    replace: 'message.id',
    spec: 'libs/nestjs/test/inbox-replay.spec.ts',
    title: 'runs the handler once for each replay',
  },
  {
    name: 'a seek has a number that no earlier one had',
    file: `${SCRIPTS}/seek.lua`,
    find: 'math.max(milliseconds(), ',
    replace: 'math.max(0, ',
    spec: 'libs/nestjs/test/inbox-replay.spec.ts',
    title: 'is not taken for an earlier one',
  },
  {
    name: 'a pause holds every member',
    file: 'libs/streams/src/group/group-watch.ts',
    find: 'await this.#parts.feedback.groupPaused();',
    replace: '',
    spec: 'libs/streams/test/groups.spec.ts',
    title: 'pauses every member until it is lifted',
  },
  {
    name: 'a message that may still be handled is not counted as lost',
    file: `${SCRIPTS}/audit.lua`,
    find: " - redis.call('ZCARD', open)",
    replace: '',
    spec: 'libs/streams/test/loss.spec.ts',
    title: 'retries whose text is gone while they wait, and only those',
  },
];
