/** The guards of requests and answers: each call is executed as often as it may, answered once, and told the truth about both. */

const LONE_SPEC = 'libs/rpc/test/lone-calls.spec.ts';
const SCRIPTS = 'libs/rpc/src/scripts';
const CALL = 'libs/rpc/src/call';
const SERVE = 'libs/rpc/src/serve';
const SLOTS = `${SERVE}/request-slots.ts`;
const CALLS_SPEC = 'libs/rpc/test/calls.spec.ts';
const CONNECTIONS_SPEC = 'libs/rpc/test/connections.spec.ts';
const CRASHES_SPEC = 'libs/rpc/test/crashes.spec.ts';
const DEADLINES_SPEC = 'libs/rpc/test/deadlines.spec.ts';
const FORGED_SPEC = 'libs/rpc/test/forged.spec.ts';
const SILENCES_SPEC = 'libs/rpc/test/silences.spec.ts';
const STOPS_SPEC = 'libs/rpc/test/stops.spec.ts';

const sending = [
  {
    name: 'calls: a request that must not run twice is not sent again when the reply was lost',
    file: `${CALL}/request-batcher.ts`,
    find: 'return batch.filter(({ options }) => options.idempotent);',
    replace: 'return batch;',
    spec: 'libs/rpc/test/streams-losses.spec.ts',
    title: 'whose request was sent without a reply is begun once where it is not, and all items come',
  },
  {
    name: 'calls: a call learns that the stream of its instance is gone',
    file: `${SCRIPTS}/send.lua`,
    find: "'NOMKSTREAM', ",
    replace: '',
    spec: CALLS_SPEC,
    title: 'are rejected at once when nobody has ever served the service, or the chosen instance has gone',
  },
  {
    name: 'calls: a lone request makes no stream',
    file: `${CALL}/request-batcher.ts`,
    find: "'NOMKSTREAM', '*', header",
    replace: "'*', header",
    spec: LONE_SPEC,
    title: 'is rejected at once by the one command when the instance that it is for has gone',
  },
  {
    name: 'calls: lone requests do not go on without a look at how many wait',
    file: `${CALL}/send-allowance.ts`,
    find: 'Math.min(Math.floor(room * SHARE), MOST)',
    replace: 'MOST',
    spec: LONE_SPEC,
    title: 'is rejected when too many wait, also by the one command',
  },
  {
    name: 'calls: no more requests wait than may',
    file: `${SCRIPTS}/send.lua`,
    find: 'if room > 0 then',
    replace: 'if true then',
    spec: CALLS_SPEC,
    title: 'are rejected when too many wait',
  },
  {
    name: 'calls: a request that nobody waits for is withdrawn',
    file: `${CALL}/caller.ts`,
    find: 'if (!isStopped && call.entryId !== null) this.#withdraw(call);',
    replace: '',
    spec: DEADLINES_SPEC,
    title: 'leaves no request behind when nobody took it',
  },
  {
    name: 'calls: a request that is cancelled while it is being sent is withdrawn',
    file: `${CALL}/caller.ts`,
    find: 'if (call.isGivenUp) this.#withdraw(call);\n    else if',
    replace: 'if',
    spec: DEADLINES_SPEC,
    title: 'is withdrawn also when it was cancelled while it was being sent',
  },
  {
    name: 'calls: a request that an instance has stays in its hands when it is cancelled',
    file: `${SCRIPTS}/withdraw.lua`,
    find: 'if isTaken(ARGV[i]) then',
    replace: 'if false then',
    spec: DEADLINES_SPEC,
    title: 'has its signal aborted when it was begun, and gets no answer',
  },
];

const beginning = [
  {
    name: 'calls: no method begins when the time of its call is over',
    file: SLOTS,
    find: 'if (request.remainingMs() <= 0) {\n      counters.expired',
    replace: 'if (false) {\n      counters.expired',
    spec: DEADLINES_SPEC,
    title: 'is never executed afterwards, also when no instance read meanwhile',
  },
  {
    name: 'calls: no method begins before the time of Redis is known',
    file: SLOTS,
    find: 'else if (!this.#parts.clock.isFresh) return this.#askClock();',
    replace: '',
    spec: DEADLINES_SPEC,
    title: 'is never executed afterwards, also when no instance read meanwhile',
  },
  {
    name: 'calls: the signal of a method aborts when the time of its call is over',
    file: SLOTS,
    find: 'else if (request.remainingMs() <= 0) {',
    replace: 'else if (false) {',
    spec: DEADLINES_SPEC,
    title: 'has the signal of its method aborted also when nobody says that it is over',
  },
  {
    name: 'calls: an instance that was silent begins nothing that others may have taken over',
    file: SLOTS,
    find: 'if (this.#isUnsure(this.#waiting[0]!)) this.#letGoOfAll();\n      else if',
    replace: 'if',
    spec: CRASHES_SPEC,
    title: 'or is frozen for longer than its lease, executes nothing that others have taken over',
  },
  {
    name: 'calls: an instance that is there again begins nothing of what it read before',
    file: SLOTS,
    find: 'return !isSure || readIn !== epoch;',
    replace: 'return !isSure;',
    spec: SILENCES_SPEC,
    title: 'begins nothing that it had read: another one has executed it',
  },
  {
    name: 'calls: a request that an instance which is gone may have begun is executed again only where that is allowed',
    file: SLOTS,
    find: 'if (takenOver && !this.#isRepeatable(frame)) this.#indefinite(request);\n    else ',
    replace: '',
    spec: STOPS_SPEC,
    title: 'aborts methods that do not end by its deadline, and leaves their requests to others at once',
  },
  {
    name: 'calls: a request that was put back counts as not begun',
    file: `${SERVE}/take-over.ts`,
    find: 'this.#take(PUT_BACK, false)',
    replace: 'this.#take(PUT_BACK, true)',
    spec: STOPS_SPEC,
    title: 'puts back what was read and not begun: others execute it, also where it is not idempotent',
  },
  {
    name: 'calls: an instance that stops puts back nothing that it has begun',
    file: `${SCRIPTS}/leave.lua`,
    find: 'if count < most and not begun[item[1]] then',
    replace: 'if count < most then',
    spec: STOPS_SPEC,
    title: 'aborts methods that do not end by its deadline, and leaves their requests to others at once',
  },
  {
    name: 'calls: an instance that stops puts back nothing that it has taken over',
    file: `${SERVE}/responder.ts`,
    find: 'isBegun || takenOver)',
    replace: 'isBegun)',
    spec: CRASHES_SPEC,
    title: 'leaves nothing that is executed twice when the one that took over stops before it could answer',
  },
  {
    name: 'calls: what is read while a take-over is under way counts as begun',
    file: `${SERVE}/take-over.ts`,
    find: 'if (mayHaveBegun) slots.takingOver += 1;',
    replace: '',
    spec: CRASHES_SPEC,
    title: 'leaves nothing that is executed twice when an instance reads anew while it takes over',
  },
  {
    name: 'calls: a call of an instance that stops learns that it was not begun',
    file: `${SERVE}/own-streams.ts`,
    find: "isHeld === '1' && !notBegun.has(entryId)",
    replace: "isHeld === '1'",
    spec: STOPS_SPEC,
    title: 'puts back what was read and not begun: others execute it, also where it is not idempotent',
  },
];

const answering = [
  {
    name: 'calls: a lone request that others have settled is not answered',
    file: `${SCRIPTS}/answer-one.lua`,
    find: "then return 'F' end",
    replace: 'then end',
    spec: LONE_SPEC,
    title: 'is not answered when its request was settled by others',
  },
  {
    name: 'calls: a lone answer makes no inbox',
    file: `${SCRIPTS}/answer-one.lua`,
    find: "'NOMKSTREAM', ",
    replace: '',
    spec: LONE_SPEC,
    title: 'makes no inbox, and harms nothing, when its inbox is nothing',
  },
  {
    name: 'calls: many answers do not keep the next read waiting',
    file: 'libs/rpc/src/wire/beside-read.ts',
    find: 'if (count >= MANY) {',
    replace: 'if (false) {',
    spec: 'libs/rpc/test/beside-read.spec.ts',
    title: 'is done while the next read is under way when it is much',
  },
  {
    name: 'calls: a request is answered once',
    file: `${SCRIPTS}/answer.lua`,
    find: "if redis.call('XACK', stream, group, id) == 0 then return false end",
    replace: "redis.call('XACK', stream, group, id)",
    spec: CONNECTIONS_SPEC,
    title: 'are answered once when an instance loses the reply to its answers',
  },
  {
    name: 'calls: an instance that is there again answers only what was not answered',
    file: `${SERVE}/answer-batcher.ts`,
    find: 'return !isSure || items.some(({ readIn }) => readIn !== epoch);',
    replace: 'return !isSure;',
    spec: SILENCES_SPEC,
    title: 'answers what another one has not answered, and nothing else',
  },
  {
    name: 'calls: an answer whose reply was lost counts as written',
    file: `${SERVE}/answer-batcher.ts`,
    find: "letter === 'F' && !isRepeated",
    replace: "letter === 'F'",
    spec: CONNECTIONS_SPEC,
    title: 'are answered once when an instance loses the reply to its answers',
  },
  {
    name: 'calls: an answer makes no inbox',
    file: `${SCRIPTS}/answer.lua`,
    find: "'NOMKSTREAM', ",
    replace: '',
    spec: FORGED_SPEC,
    title: 'writes to no inbox that is not there',
  },
  {
    name: 'calls: an address that leads to another kind of key harms no other answer',
    file: `${SCRIPTS}/answer.lua`,
    find: "redis.pcall('XADD'",
    replace: "redis.call('XADD'",
    spec: FORGED_SPEC,
    title: 'harms no other answer when an inbox is a key of another type',
  },
  {
    name: 'calls: the name of an inbox leads to no other key',
    file: 'libs/rpc/src/wire/request-frame.ts',
    find: ' || !isMemberName(inbox)',
    replace: '',
    spec: FORGED_SPEC,
    title: 'is dropped, counted and not executed when it is no request',
  },
  {
    name: 'calls: a call is settled once',
    file: `${CALL}/pending-calls.ts`,
    find: 'this.#calls.delete(call.correlation);',
    replace: '',
    spec: FORGED_SPEC,
    title: 'settles no call twice, nor one that was not made',
  },
  {
    name: 'calls: an answer that no call can have is told from a late one',
    file: `${CALL}/pending-calls.ts`,
    find: 'return correlation >= 1 && correlation <= this.#lastCorrelation;',
    replace: 'return true;',
    spec: FORGED_SPEC,
    title: 'settles no call twice, nor one that was not made',
  },
  {
    name: 'calls: an inbox keeps the answers that were not read',
    file: `${SCRIPTS}/keep-inbox.lua`,
    find: "'MINID', ARGV[1])",
    replace: "'MAXLEN', 0)",
    spec: CALLS_SPEC,
    title: 'have their answers kept until they are read',
  },
  {
    name: 'calls: an inbox drops the answers that were read',
    file: `${SCRIPTS}/keep-inbox.lua`,
    find: "redis.call('XTRIM', inbox, 'MINID', ARGV[1])",
    replace: '',
    spec: CALLS_SPEC,
    title: 'leave an inbox that is small and vanishes by itself',
  },
  {
    name: 'calls: an inbox that nobody keeps vanishes',
    file: `${SCRIPTS}/keep-inbox.lua`,
    find: "redis.call('PEXPIRE', inbox, ARGV[2])\n",
    replace: '',
    spec: CALLS_SPEC,
    title: 'leave an inbox that is small and vanishes by itself',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const calls = [...sending, ...beginning, ...answering];
