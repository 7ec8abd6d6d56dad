/** Values that JavaScript lets people throw. Some of them throw again when they are read. */
export function weirdValues(): readonly (readonly [string, unknown])[] {
  const refuse = (): never => {
    throw new Error('do not look at me');
  };
  const hostile: ProxyHandler<object> = Object.fromEntries(
    ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'set'].map((trap) => [trap, refuse]),
  );
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  return [
    ['nothing', undefined],
    ['null', null],
    ['text', 'text'],
    ['a number', Number.NaN],
    ['a bigint', 10n],
    ['a symbol', Symbol('s')],
    ['a function', () => 1],
    ['a circle', circle],
    ['an object without a prototype', Object.create(null)],
    ['an object with a toJSON that throws', { toJSON: refuse }],
    ['an object with a toString that throws', { toString: refuse, [Symbol.toPrimitive]: refuse }],
    ['an object with getters that throw', Object.defineProperties({}, { message: { get: refuse }, stack: { get: refuse }, constructor: { get: refuse }, [Symbol.toStringTag]: { get: refuse } })],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: refuse })],
    ['an error whose name throws', Object.defineProperty(new Error('x'), 'name', { get: refuse })],
    ['an error whose stack throws', Object.defineProperty(new Error('x'), 'stack', { get: refuse })],
    ['an error whose cause throws', Object.defineProperty(new Error('x'), 'cause', { get: refuse })],
    ['an error whose code throws', Object.defineProperty(new Error('x'), 'code', { get: refuse })],
    ['an error with an object for its message', Object.assign(new Error(), { message: { a: 1 } })],
    ['an error with a number for its name', Object.assign(new Error('x'), { name: 7 })],
    ['an error with an object for its stack', Object.assign(new Error('x'), { stack: {} })],
    ['a hostile proxy', new Proxy({}, hostile)],
    ['a hostile proxy of an error', new Proxy(new Error('x'), hostile)],
    ['a hostile proxy of a function', new Proxy(() => 1, hostile)],
    ['a revoked proxy', revoked],
    ['an error caused by a hostile proxy', new Error('x', { cause: new Proxy({}, hostile) })],
    ['an error caused by itself', circleOfCauses(1)],
    ['errors that cause each other', circleOfCauses(3)],
    ['a message of 10 MB', new Error('x'.repeat(10_000_000))],
    ['text of 10 MB', 'x'.repeat(10_000_000)],
    ['a list of a million', Array.from({ length: 1_000_000 }, () => 0)],
    ['an error of another realm', foreignError()],
  ];
}

export function circleOfCauses(length: number): Error {
  const errors: Error[] = Array.from({ length }, (_, index) => new Error(`error ${index}`));
  errors.forEach((error, index) => {
    error.cause = errors[(index + 1) % length];
  });
  return errors[0]!;
}

/** Node's own errors are of another realm inside a test runner. */
function foreignError(): unknown {
  try {
    process.kill(process.pid, 'SIGNONE');
  } catch (error) {
    return error;
  }
  return undefined;
}
