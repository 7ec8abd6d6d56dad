/** The guards of requests of Nest's transport: what stays in the service, what does not fill it, and what ends a handler. */

const TRANSPORT = 'libs/nestjs/src/transport';
const ITEMS = `${TRANSPORT}/answer-items.ts`;
const PUMP = 'libs/rpc/src/serve/stream-pump.ts';
const INCOMING = 'libs/rpc/src/call/incoming-stream.ts';
const REQUESTS_SPEC = 'libs/nestjs/test/transport/requests.spec.ts';
const BROADCAST_SPEC = 'libs/nestjs/test/transport/broadcast.spec.ts';
const LONE_SPEC = 'libs/rpc/test/lone-items.spec.ts';
const STREAMS_SPEC = 'libs/rpc/test/streams.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const nestRequests = [
  {
    name: 'nest requests: values that wait for a slow caller are bounded',
    file: ITEMS,
    find: 'if (this.#readyBytes <= this.#parts.bufferBytes) this.#wake();\n    else this.#overflow();',
    replace: 'this.#wake();',
    spec: REQUESTS_SPEC,
    title: 'leaves an Observable whose values come faster than its caller takes them, and tells both sides',
  },
  {
    name: 'nest requests: an Observable that gives all at once is asked to stop',
    file: ITEMS,
    find: '.pipe(takeWhile(() => !this.#hasEnded))',
    replace: '',
    spec: REQUESTS_SPEC,
    title: 'leaves an Observable that gives all of its values at once, and too many',
  },
  {
    name: 'nest requests: an exception that a filter hides stays in the service',
    file: ITEMS,
    find: 'return new AnsweredFailure(answerText({ err: shown }), asError(cause), true);',
    replace: 'return asError(cause) as AnsweredFailure;',
    spec: REQUESTS_SPEC,
    title: 'keeps the exception of a handler within its service: unknown-error',
  },
  {
    name: 'nest requests: the words for a value that is no JSON stay in the service',
    file: ITEMS,
    find: 'answerText({ err: INTERNAL_ERROR })',
    replace: 'answerText({ err: asError(cause) })',
    spec: REQUESTS_SPEC,
    title: 'keeps the exception of a handler within its service: circle',
  },
  {
    name: 'nest requests: a caller that leaves ends the Observable before its first value',
    file: ITEMS,
    find: "signal.addEventListener('abort', () => this.#leave(), { once: true });\n",
    replace: '',
    spec: REQUESTS_SPEC,
    title: 'ends an Observable that has given nothing yet when it is unsubscribed',
  },
  {
    name: 'nest requests: a broadcast asks every instance',
    file: `${TRANSPORT}/instance-reply.ts`,
    find: 'if (members.length > 0) return members;',
    replace: 'if (members.length > 0) return members.slice(0, 1);',
    spec: BROADCAST_SPEC,
    title: 'is answered by all instances of the service, each with its name',
  },
  {
    name: 'nest requests: a broadcast goes on when an instance fails',
    file: `${TRANSPORT}/instance-reply.ts`,
    find: '    catchError((error: unknown) => of({ instance, error })),\n',
    replace: '',
    spec: BROADCAST_SPEC,
    title: 'has the errors of those that fail beside the answers of the others',
  },
  {
    name: 'calls: a stream whose items break ends though its consumer takes none',
    file: PUMP,
    find: "    broken?.addEventListener('abort', wake, { once: true });\n",
    replace: '',
    spec: STREAMS_SPEC,
    title: 'ends with an error of its items that comes while none of them is asked for',
  },
  {
    name: 'calls: an only item is not taken behind items of another run',
    file: 'libs/rpc/src/call/caller.ts',
    find: '} else if (call.run !== null) this.#broken(call, incomplete());\n    else if',
    replace: '} else if',
    spec: LONE_SPEC,
    title: 'is not taken behind items of another execution: the call is not known to be complete',
  },
  {
    name: 'calls: a streamed call has nobody watched before it is known who serves it',
    file: 'libs/rpc/src/call/stream-calls.ts',
    find: 'if (call.servedBy !== undefined) this.#watch(call);',
    replace: 'this.#watch(call);',
    spec: LONE_SPEC,
    title: 'costs no look at presence: nobody is watched before it is known who serves it',
  },
  {
    name: 'calls: a sink is one that waits',
    file: INCOMING,
    find: 'return this.#sink !== null || this.#waiting.length > 0;',
    replace: 'return this.#waiting.length > 0;',
    spec: 'libs/rpc/test/incoming-stream.spec.ts',
    title: 'may lack a grant as well when it is a sink, which always waits',
  },
];
