/** The guards of what is kept of calls: the outcomes of requests that may be repeated, and results that are fetched later. */

const SCRIPTS = 'libs/rpc/src/scripts';
const LEDGER = 'libs/ledger/src/scripts';
const EXECUTION = 'libs/rpc/src/serve/execution.ts';
const HANDLES = 'libs/rpc/src/handle/handles.ts';
const ENTRIES_SPEC = 'libs/ledger/test/ledger.spec.ts';
const HANDLES_SPEC = 'libs/rpc/test/handles.spec.ts';
const LEDGER_SPEC = 'libs/rpc/test/ledger.spec.ts';

const recording = [
  {
    name: 'calls: an instance settles nothing whose outcome another one has recorded',
    file: EXECUTION,
    find: 'this.#parts.passed(request);',
    replace: "this.#parts.done(request, null, '');",
    spec: 'libs/rpc/test/silences.spec.ts',
    title: 'gives no answer in the place of another one, whose outcome the ledger has',
  },
  {
    name: 'calls: nothing begins on a late word of the ledger',
    file: EXECUTION,
    find: 'else if (isOver(request)) this.#giveBack(ledger, place.token, request);\n',
    replace: '',
    spec: LEDGER_SPEC,
    title: 'is not executed when the time of its call is over before the ledger has answered',
  },
  {
    name: 'calls: nothing begins on a word of the ledger that came while others may take the process for dead',
    file: EXECUTION,
    find: "(begun.kind === 'mine' && this.#parts.certainty.isSure)",
    replace: "begun.kind === 'mine'",
    spec: LEDGER_SPEC,
    title: 'is not executed on a word of the ledger that came while others could take its process for dead',
  },
  {
    name: 'calls: an outcome is recorded before it is answered',
    file: EXECUTION,
    find: 'const isRecorded = await this.#completed(ledger, token, { request, kind, text });',
    replace: 'const isRecorded = Boolean(this.#completed(ledger, token, { request, kind, text }));',
    spec: LEDGER_SPEC,
    title: 'is answered when its outcome is recorded',
  },
  {
    name: 'calls: only the last token of an entry completes it',
    file: `${LEDGER}/complete-entries.lua`,
    find: 'local isFirst = not recorded[id] and isUnder(standing[i], token)',
    replace: 'local isFirst = not recorded[id] and standing[i]',
    spec: ENTRIES_SPEC,
    title: 'is neither completed nor released with a token that is not its last',
  },
  {
    name: 'calls: only the last token of an entry releases it',
    file: `${LEDGER}/release-entries.lua`,
    find: 'local isOurs = isUnder(standing[i], ARGV[entry.at])',
    replace: 'local isOurs = standing[i] ~= false',
    spec: ENTRIES_SPEC,
    title: 'is neither completed nor released with a token that is not its last',
  },
  {
    name: 'calls: an entry in progress is begun by nobody else',
    file: `${LEDGER}/begin-entries.lua`,
    find: 'if token == replaced or now - begunAt >= WORK then return nil end',
    replace: 'if true then return nil end',
    spec: ENTRIES_SPEC,
    title: 'is begun by exactly one of fifty at once',
  },
  {
    name: 'calls: an entry that is done is not begun again',
    file: `${LEDGER}/begin-entries.lua`,
    find: 'done[id] and answerDone(done[id]) or ',
    replace: '',
    spec: ENTRIES_SPEC,
    title: 'is absent, then in progress for one, then done with its result',
  },
  {
    name: 'calls: the first outcome of a request stays',
    file: `${LEDGER}/complete-entries.lua`,
    find: 'or isDone(recorded[id], token) or wasDone(shard, id, token)',
    replace: '',
    spec: ENTRIES_SPEC,
    title: 'keeps its first result when it is completed again with its token',
  },
  {
    name: 'calls: nothing begins without a record while Redis is full',
    file: `${LEDGER}/begin-entries.lua`,
    find: '#!lua\n-- Begins',
    replace: '#!lua flags=allow-oom\n-- Begins',
    spec: ENTRIES_SPEC,
    title: 'begin nothing while Redis is full, and complete what was begun',
  },
  {
    name: 'calls: a full Redis takes the outcome of what was begun',
    file: `${LEDGER}/complete-entries.lua`,
    find: '#!lua flags=allow-oom\n',
    replace: '#!lua\n',
    spec: ENTRIES_SPEC,
    title: 'begin nothing while Redis is full, and complete what was begun',
  },
];

const handling = [
  {
    name: 'calls: a handle whose request must not run twice is known as sent',
    file: HANDLES,
    find: 'if (!call.idempotent) await this.#markSent(id);',
    replace: '',
    spec: HANDLES_SPEC,
    title: 'are not sent again when their method is not idempotent',
  },
  {
    name: 'calls: a handle whose request may have been sent is not sent by another process',
    file: HANDLES,
    find: 'throw maybeSent({ ...call, id });',
    replace: 'return false;',
    spec: HANDLES_SPEC,
    title: 'are not started again where they must not run twice, and nobody knows whether they were sent',
  },
  {
    name: 'calls: a handle is started for one method',
    file: HANDLES,
    find: 'if (other === null || !isSameMethod(other, call)) throw takenId(id, other);',
    replace: '',
    spec: HANDLES_SPEC,
    title: 'belong to one method, and to an id that can stand in a key',
  },
  {
    name: 'calls: a handle gives the result of its method alone',
    file: HANDLES,
    find: 'if (!isSameMethod(call, started)) throw takenId(started.id, call);',
    replace: '',
    spec: HANDLES_SPEC,
    title: 'belong to one method, and to an id that can stand in a key',
  },
  {
    name: 'calls: a handle that nobody knows is no pending one',
    file: HANDLES,
    find: 'throw unknownHandle(started);',
    replace: 'return undefined;',
    spec: HANDLES_SPEC,
    title: 'are answered to another process when the one that started them is gone',
  },
  {
    name: 'calls: a handle that could not be sent leaves nothing',
    file: HANDLES,
    find: '!mayBeSent(error)',
    replace: 'false',
    spec: HANDLES_SPEC,
    title: 'leave nothing in Redis when they cannot be sent',
  },
  {
    name: 'calls: the inbox of a handle is kept for as long as it may be asked for its result',
    file: `${SCRIPTS}/open-handle.lua`,
    find: 'ARGV[2])',
    replace: '1000)',
    spec: HANDLES_SPEC,
    title: 'are answered to another process when the one that started them is gone',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const keptCalls = [...recording, ...handling];
