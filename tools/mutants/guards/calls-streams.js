/** The guards of calls with streamed answers: items in order, each once, none ahead of its consumer, and an end that is true. */

const CALL = 'libs/rpc/src/call';
const SERVE = 'libs/rpc/src/serve';
const INCOMING = `${CALL}/incoming-stream.ts`;
const STREAM_CALLS = `${CALL}/stream-calls.ts`;
const CONNECTIONS_SPEC = 'libs/rpc/test/streams-connections.spec.ts';
const CRASHES_SPEC = 'libs/rpc/test/streams-crashes.spec.ts';
const STREAMS_SPEC = 'libs/rpc/test/streams.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const streamedCalls = [
  {
    name: 'calls: an item that comes twice is taken once',
    file: INCOMING,
    find: " || number <= this.#received) return 'dropped'",
    replace: ") return 'dropped'",
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when items are missing, and takes none that others write',
  },
  {
    name: 'calls: a stream whose items have a gap ends',
    file: INCOMING,
    find: 'number !== this.#received + 1 || ',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when items are missing, and takes none that others write',
  },
  {
    name: 'calls: a stream takes no item that it has not granted',
    file: INCOMING,
    find: ' || number > this.#granted',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when more comes than was granted, and when its end counts more than has come',
  },
  {
    name: 'calls: the end of a stream counts its items',
    file: STREAM_CALLS,
    find: 'else if (!call.incoming.hasAll(frame.number)) this.#parts.broken(call, incomplete());\n',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when more comes than was granted, and when its end counts more than has come',
  },
  {
    name: 'calls: a stream takes the items of one run',
    file: STREAM_CALLS,
    find: ' || (call.run ?? frame.run) !== frame.run) return',
    replace: ') return',
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when items are missing, and takes none that others write',
  },
  {
    name: 'calls: a method is no further ahead than its window',
    file: `${SERVE}/stream-pump.ts`,
    find: 'this.#sent >= this.#granted',
    replace: 'this.#sent > this.#granted',
    spec: STREAMS_SPEC,
    title: 'has its method at most 7 items ahead of a consumer that takes its time',
  },
  {
    name: 'calls: nobody but the caller grants items',
    file: `${SERVE}/stream-runs.ts`,
    find: 'if (frame?.inbox !== inbox || frame.correlation !== correlation) continue;',
    replace: 'if (frame === undefined) continue;',
    spec: CONNECTIONS_SPEC,
    title: 'is granted nothing by others',
  },
  {
    name: 'calls: a grant that was lost is repeated',
    file: STREAM_CALLS,
    find: 'if (call.incoming.isStarving) this.grant(call, call.incoming.granted);',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'goes on when grants are lost',
  },
  {
    name: 'calls: a stream whose inbox was lost ends',
    file: STREAM_CALLS,
    find: 'for (const call of this.#open) if (call.run !== null) this.#parts.broken(call, incomplete());',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'ends with CALL_INDEFINITE when the inbox vanishes while nothing is written',
  },
  {
    name: 'calls: a method whose items find no inbox ends',
    file: `${SERVE}/item-outlet.ts`,
    find: 'if (id === null) lost();\n        else ',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'has its method closed when there is no inbox for it',
  },
  {
    name: 'calls: an item makes no inbox',
    file: `${SERVE}/item-outlet.ts`,
    find: "'NOMKSTREAM', ",
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'has its method closed when there is no inbox for it',
  },
  {
    name: 'calls: a method ends when its consumer has enough',
    file: STREAM_CALLS,
    find: 'this.grant(call, 0);',
    replace: '',
    spec: STREAMS_SPEC,
    title: 'ends its method when a loop over it is left by break',
  },
  {
    name: 'calls: a caller is reminded of its streams',
    file: `${SERVE}/served-stream.ts`,
    find: 'if (performance.now() - this.#openedAtMs >= everyMs) this.#open();',
    replace: '',
    spec: CONNECTIONS_SPEC,
    title: 'is ended by a reminder when the word of its consumer was lost',
  },
  {
    name: 'calls: a stream is begun by one instance',
    file: `${SERVE}/request-slots.ts`,
    find: 'isIdempotent && window === 0 &&',
    replace: 'isIdempotent &&',
    spec: CRASHES_SPEC,
    title: 'ends with CALL_INDEFINITE when its instance is killed and another instance is there',
  },
  {
    name: 'calls: a stream whose instance is gone ends',
    file: STREAM_CALLS,
    find: "if (member !== undefined && presence.fateOf(member) !== 'living') return { why: GONE, forMs };",
    replace: '',
    spec: CRASHES_SPEC,
    title: 'ends with CALL_INDEFINITE when its chosen instance is killed',
  },
  {
    name: 'calls: a stream whose service does not wait for it ends at once',
    file: `${SERVE}/request-slots.ts`,
    find: '        this.#leaveStream(request);\n',
    replace: '',
    spec: STREAMS_SPEC,
    title: 'ends at once with an error when its service stops without waiting for it',
  },
];
