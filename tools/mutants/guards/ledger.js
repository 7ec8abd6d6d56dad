/** The guards of work that must not take effect twice: the ledgers of handlers, and the steps that are remembered. */

const SCRIPTS = 'libs/ledger/src/scripts';
const TURN = 'libs/core/src/ledger/ledger-turn.ts';
const STEP = 'libs/core/src/middleware/idempotency.ts';
const MEMO = 'libs/core/src/memo/step-memo.ts';
const MESSAGES_SPEC = 'libs/ledger/test/messages.spec.ts';
const STORAGE_SPEC = 'libs/ledger/test/storage.spec.ts';
const STEP_SPEC = 'libs/core/test/idempotency.spec.ts';
const MEMO_SPEC = 'libs/ledger/test/memo.spec.ts';

const entries = [
  {
    name: 'ledger: nothing is begun beyond its bound',
    file: `${SCRIPTS}/begin-entries.lua`,
    find: "if not answer and not held and size >= MOST then answer = 'f' end",
    replace: '',
    spec: STORAGE_SPEC,
    title: 'begins nothing, says so, and completes and repeats what it has',
  },
  {
    name: 'ledger: what is done is kept for a window at the least',
    file: `${SCRIPTS}/complete-entries.lua`,
    find: 'if now < starts[latest] + KEEP then',
    replace: 'if false then',
    spec: STORAGE_SPEC,
    title: 'are kept for a window at the least, and go with the one after it',
  },
  {
    name: 'ledger: what nobody can be at work for any more takes up no room',
    file: `${SCRIPTS}/begin-entries.lua`,
    find: 'sweep(shard.progress)',
    replace: '',
    spec: STORAGE_SPEC,
    title: 'are removed when they are too old, and take up the room of others',
  },
];

const handlers = [
  {
    name: 'ledger: a message is settled when it is recorded as done',
    file: TURN,
    find: 'const isRecorded = await this.#completed();',
    replace: 'const isRecorded = Boolean(this.#completed());',
    spec: MESSAGES_SPEC,
    title: 'are not handled again when the process died between the record and the settlement',
  },
  {
    name: 'ledger: a message that failed is begun again',
    file: TURN,
    find: 'if (!isDone(outcome) || lease.isGivenUp) {',
    replace: 'if (lease.isGivenUp) {',
    spec: MESSAGES_SPEC,
    title: 'are handled again when the first attempt failed, and not after the one that succeeds',
  },
  {
    name: 'ledger: a message that is another’s is released at once',
    file: TURN,
    find: 'this.#lost = () => this.release();',
    replace: 'this.#lost = () => undefined;',
    spec: MESSAGES_SPEC,
    title: 'are released when their process stops, and begun by another at once',
  },
  {
    name: 'ledger: nothing begins while others may take the process for dead',
    file: STEP,
    find: 'if (rule.holder.isSure && !goesBack(attempt)) return turn;',
    replace: 'if (!goesBack(attempt)) return turn;',
    spec: STEP_SPEC,
    title: 'comes again, and begins nothing, while others may take the process for dead',
  },
  {
    name: 'ledger: nothing begins on a late word of the ledger',
    file: STEP,
    find: 'if (rule.holder.isSure && !goesBack(attempt)) return turn;',
    replace: 'if (rule.holder.isSure) return turn;',
    spec: STEP_SPEC,
    title: 'goes back, and begins nothing, when that was to end before the ledger answered',
  },
  {
    name: 'ledger: an outcome counts for nothing that others may have by now',
    file: TURN,
    find: 'return isRecorded || (this.#use.holder.isSure && !lease.isGivenUp) ? outcome : RELEASED;',
    replace: 'return outcome;',
    spec: STEP_SPEC,
    title: 'is released when it is not recorded and others may have begun it',
  },
  {
    name: 'ledger: a forced replay has entries of its own',
    file: 'libs/core/src/delivery/pipeline.ts',
    find: 'replay: forced ? replay : 0',
    replace: 'replay: 0',
    spec: MESSAGES_SPEC,
    title: 'skips what is done, and handles it again, once, when the seek is forced',
  },
];

const steps = [
  {
    name: 'memo: the first result of a step stays',
    file: 'libs/ledger/src/memo/remember-step.lua',
    find: "if stored then return '=' .. stored end\n",
    replace: '',
    spec: MEMO_SPEC,
    title: 'has the result that was stored first',
  },
  {
    name: 'memo: nothing is stored of work that is another’s',
    file: MEMO,
    find: 'LONGEST_PAUSE_MS)) {\n      this.#assertHeld();\n',
    replace: 'LONGEST_PAUSE_MS)) {\n',
    spec: MEMO_SPEC,
    title: 'is not remembered when the message is this process’s no more, and throws',
  },
  {
    name: 'memo: the steps of a message that is put aside stay',
    file: 'libs/streams/src/consume/settlement.ts',
    find: "return outcome === 'ack' && how !== 'parked';",
    replace: "return outcome === 'ack';",
    spec: MEMO_SPEC,
    title: 'is kept of a message that is put aside, and skipped when its key is released',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const ledgers = [...entries, ...handlers, ...steps];
