/** The guards of members whose handlers fail on nearly every message. */

const BREAKER = 'libs/streams/src/break/breaker.ts';
const SPEC = 'libs/streams/test/break/breaker.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const breaking = [
  {
    name: 'a breaker opens when nearly all messages fail',
    file: BREAKER,
    find: '&& this.#window.failure(CircuitState.Closed)) this.#trip',
    replace: '&& this.#window.failure(CircuitState.Open) && attempt > 1) this.#trip',
    spec: SPEC,
    title: 'is paused with the reason, keeps the backlog',
  },
  {
    name: 'a breaker counts first attempts alone',
    file: BREAKER,
    find: 'isFailure(outcome) && attempt === 1 && ',
    replace: 'isFailure(outcome) && ',
    spec: SPEC,
    title: 'one message in a hundred that always fails pauses nobody',
  },
  {
    name: 'a breaker takes a handler that gives messages up for one that works',
    file: BREAKER,
    find: "return outcome.reason === 'DEAD_LETTERED_BY_HANDLER' || outcome.reason === 'DEAD_LETTER_ON';",
    replace: 'return false;',
    spec: SPEC,
    title: 'a handler that gives messages up works',
  },
  {
    name: 'a breaker takes a handler that wants messages later for one that works',
    file: BREAKER,
    find: 'return outcome.isAskedFor === true;',
    replace: 'return false;',
    spec: SPEC,
    title: 'a handler that wants messages later works',
  },
  {
    name: 'a breaker counts no message that its handler did not get',
    file: BREAKER,
    find: 'return !outcome.filtered && !outcome.expired && !outcome.deduplicated;',
    replace: 'return true;',
    spec: SPEC,
    title: 'messages that were deduplicated say nothing of the handler',
  },
  {
    name: 'no attempt counts while a breaker is open',
    file: BREAKER,
    find: 'error, sameAttempt: true };',
    replace: 'error };',
    spec: SPEC,
    title: 'counts no attempt of the messages that it tries',
  },
  {
    name: 'a breaker tries a few messages alone',
    file: 'libs/streams/src/consume/handler-slots.ts',
    find: 'this.#limit = messages;',
    replace: 'this.#limit = Math.max(messages, Infinity);',
    spec: SPEC,
    title: 'tries five messages at once, and no more',
  },
  {
    name: 'a breaker closes when the handler works again',
    file: BREAKER,
    find: 'if (this.#good >= MAJORITY) this.#close();',
    replace: 'if (this.#good < 0) this.#close();',
    spec: SPEC,
    title: 'is paused with the reason, keeps the backlog',
  },
  {
    name: 'a breaker closes when an operator resumes the group',
    file: 'libs/streams/src/scripts/lift-pause.lua',
    find: "if own == '' then redis.call('DEL', KEYS[2]) end",
    replace: '',
    spec: SPEC,
    title: 'goes on at once when an operator resumes the group',
  },
  {
    name: 'a breaker leaves no record behind',
    file: BREAKER,
    find: 'await this.#forget().catch(() => undefined);',
    replace: '',
    spec: SPEC,
    title: 'begins no message while it is paused, and leaves no record behind',
  },
];
