/** The guards of requests over HTTP that are safe to repeat. */

const FOLDER = 'libs/nestjs/src/http/idempotency';
const SPEC = 'libs/nestjs/test/http/idempotency.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const http = [
  {
    name: 'http: a key is of one client',
    file: `${FOLDER}/request-key.ts`,
    find: '[client ?? null, key]',
    replace: '[null, key]',
    spec: SPEC,
    title: 'never gives the answer of one client to another',
  },
  {
    name: 'http: a key is of one application',
    file: `${FOLDER}/request-ledgers.ts`,
    find: '`http:${this.#application}:${route}`',
    replace: '`http:app:${route}`',
    spec: SPEC,
    title: 'never gives the answer of one application to the clients of another under the same prefix',
  },
  {
    name: 'http: a key is of one request',
    file: `${FOLDER}/idempotency.interceptor.ts`,
    find: 'answer.digest !== digest',
    replace: 'answer.digest === null',
    spec: SPEC,
    title: 'answers 422 to another body or address under the same key, and executes nothing',
  },
  {
    name: 'http: a key is of one request, also where the answer was too large to be kept',
    file: `${FOLDER}/answer.ts`,
    find: 'if (json !== null && Buffer.byteLength(text) <= MOST_BYTES) return text;',
    replace: 'if (json !== null) return text;',
    spec: SPEC,
    title: 'refuses a key of another request with 422 also where the answer was not kept',
  },
  {
    name: 'http: a request goes on when its client has gone',
    file: `${FOLDER}/idempotency.interceptor.ts`,
    find: 'return from(executed(place.turn, keyed, next));',
    replace: 'return next.handle();',
    spec: SPEC,
    title: 'keeps the answer when its client has gone',
  },
  {
    name: 'http: an answer goes out when it is kept',
    file: `${FOLDER}/idempotency.interceptor.ts`,
    find: 'await turn.complete(keptText({ digest, status: response.statusCode, headers: setSince(before, response) }, json));',
    replace: 'setTimeout(() => void turn.complete(keptText({ digest, status: response.statusCode, headers: {} }, json)), 500).unref();',
    spec: SPEC,
    title: 'executes a request once for its key, and gives the stored answer to each that is the same',
  },
  {
    name: 'http: what decorators exclude is not kept',
    file: 'libs/core/src/contract/plain-data.ts',
    find: 'options !== undefined || isDecorated(value, 0)',
    replace: 'options !== undefined',
    spec: SPEC,
    title: 'gives first and repeated answers through the same interceptors, without what decorators exclude',
  },
];
