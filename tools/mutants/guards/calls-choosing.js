/** The guards of where calls go: which instances are known, which one is chosen, and when a call is made again. */

const BALANCE = 'libs/rpc/src/balance';
const REGISTRY = 'libs/rpc/src/registry';
const MONITOR = 'libs/rpc/src/monitor';
const BALANCE_SPECS = 'libs/rpc/test/balance';
const REGISTRY_SPECS = 'libs/rpc/test/registry';
const CIRCUITS_SPEC = `${BALANCE_SPECS}/circuits.spec.ts`;
const FAILURES_SPEC = `${BALANCE_SPECS}/failures.spec.ts`;
const INSTANCES_SPEC = `${BALANCE_SPECS}/instances.spec.ts`;
const LIMITS_SPEC = `${BALANCE_SPECS}/limits.spec.ts`;
const ROUTES_SPEC = `${BALANCE_SPECS}/routes.spec.ts`;
const MONITOR_SPEC = 'libs/rpc/test/monitor.spec.ts';

const repeating = [
  {
    name: 'calls: fail-over repeats a call that may have run only where it may run twice',
    file: `${BALANCE}/failing.ts`,
    find: 'return idempotent && (error.retryable || MAY_HAVE_RUN.has(error.code));',
    replace: 'return error.retryable || MAY_HAVE_RUN.has(error.code);',
    spec: FAILURES_SPEC,
    title: 'with CALL_INDEFINITE is made again only where that is safe',
  },
  {
    name: 'calls: fail-over repeats a call that cannot have run',
    file: `${BALANCE}/failing.ts`,
    find: 'NOT_RUN.has(error.code) || ',
    replace: '',
    spec: FAILURES_SPEC,
    title: 'with NO_INSTANCE is made again only where that is safe',
  },
  {
    name: 'calls: the attempts of a call have one request id',
    file: `${BALANCE}/failing.ts`,
    find: 'return call.idempotent && call.requestId === undefined ? { ...call, requestId: newMessageId() } : call;',
    replace: 'return call;',
    spec: FAILURES_SPEC,
    title: 'is made again with the same request id when its method is idempotent, at another instance, within one deadline',
  },
  {
    name: 'calls: the attempts of a call have one deadline',
    file: `${BALANCE}/outbound.ts`,
    find: 'Math.min(mostMs, this.remainingMs)',
    replace: 'Math.min(mostMs, this.call.timeoutMs)',
    spec: FAILURES_SPEC,
    title: 'has one deadline for all of its attempts',
  },
  {
    name: 'calls: an instance at which a call failed is not chosen for it again',
    file: `${BALANCE}/failing.ts`,
    find: 'outbound.tried.add(target);',
    replace: '',
    spec: ROUTES_SPEC,
    title: 'are kept by the attempts of one call, which go beyond them when all instances of the route failed',
  },
];

const choosing = [
  {
    name: 'calls: a half-open circuit lets one call through',
    file: `${BALANCE}/circuit.ts`,
    find: 'return Number.POSITIVE_INFINITY;',
    replace: 'return 0;',
    spec: CIRCUITS_SPEC,
    title: 'lets one call through when its time is over, refuses others meanwhile, and closes when that succeeds',
  },
  {
    name: 'calls: a trial that tells nothing closes no circuit',
    file: `${BALANCE}/circuit.ts`,
    find: 'this.#isFailure(error) || ',
    replace: 'this.#isFailure(error) || false && ',
    spec: CIRCUITS_SPEC,
    title: 'opens again when the call that is tried fails, and when it tells nothing',
  },
  {
    name: 'calls: no more calls are in flight than may be',
    file: `${BALANCE}/limiting.ts`,
    find: 'if (inFlight.count >= rule.maxInFlight) return queued(outbound);',
    replace: '',
    spec: LIMITS_SPEC,
    title: 'rejects a call beyond it at once, for all clients of the process, and lets calls in again when some have ended',
  },
  {
    name: 'calls: no more calls wait for their turn than may',
    file: `${BALANCE}/limiting.ts`,
    find: 'if (inFlight.waiting >= rule.maxQueued) throw tooMany(outbound, rule);',
    replace: '',
    spec: LIMITS_SPEC,
    title: 'lets calls wait for their turn, in their order, as many as may',
  },
  {
    name: 'calls: a call that fails has no place in the limit any more',
    file: `${BALANCE}/outbound.ts`,
    find: '(error: unknown) => {\n      end();',
    replace: '(error: unknown) => {',
    spec: LIMITS_SPEC,
    title: 'counts a call that fails no longer',
  },
  {
    name: 'calls: an instance that joins takes only the keys that it wins',
    file: `${BALANCE}/rendezvous.ts`,
    find: '-Math.log(fractionOf(mixed(keyHash ^ candidate.hash))) / candidate.weight',
    replace: '(keyHash + candidates.indexOf(candidate)) % candidates.length',
    spec: `${BALANCE_SPECS}/strategies.spec.ts`,
    title: 'key gives the same key the same instance, and moves only the keys that the new one wins',
  },
  {
    name: 'calls: strict routes lead nowhere else',
    file: `${BALANCE}/router.ts`,
    find: 'this.#isStrict || chosen.isServed',
    replace: 'chosen.isServed',
    spec: ROUTES_SPEC,
    title: 'lead elsewhere when nobody serves one, unless they are strict',
  },
  {
    name: 'calls: a key goes the same way each time',
    file: `${BALANCE}/router.ts`,
    find: 'key === undefined ? this.#balancer.random() : fractionOf(mixed(hashOf(key) ^ ROUTE_SALT))',
    replace: 'this.#balancer.random()',
    spec: ROUTES_SPEC,
    title: 'take a key the same way each time, in every process',
  },
  {
    name: 'calls: a request that nobody waits for goes to no instance that may go with it',
    file: `${BALANCE}/choice.ts`,
    find: ' || (call.oneWay === true && isWhole)',
    replace: '',
    spec: INSTANCES_SPEC,
    title: 'that nobody answers go by the stream of the service: a request must not end with its instance',
  },
  {
    name: 'calls: a broadcast goes to each instance',
    file: 'libs/rpc/src/client/remote-method.ts',
    find: 'port.call({ ...call, instance })',
    replace: 'port.call(call)',
    spec: 'libs/rpc/test/contract/remote-method.spec.ts',
    title: 'is called in every instance, and each answers or fails for itself',
  },
];

const knowing = [
  {
    name: 'calls: an instance that drains takes no new calls',
    file: `${REGISTRY}/instance-set.ts`,
    find: '!draining && ',
    replace: '',
    spec: `${REGISTRY_SPECS}/registry.spec.ts`,
    title: 'that drains takes no new calls, and is listed all the same',
  },
  {
    name: 'calls: the weight of an instance is within its bounds',
    file: `${REGISTRY}/instance-reader.ts`,
    find: 'most: INSTANCE_BOUNDS.weight,',
    replace: 'most: Number.POSITIVE_INFINITY,',
    spec: `${REGISTRY_SPECS}/forged.spec.ts`,
    title: 'is read within bounds, with a weight without an end',
  },
  {
    name: 'calls: an entry of the registry is that of its member',
    file: `${REGISTRY}/instance-reader.ts`,
    find: ' || loose.member !== member',
    replace: '',
    spec: `${REGISTRY_SPECS}/forged.spec.ts`,
    title: "is skipped, with another's member, beside others that are read",
  },
  {
    name: 'calls: all instances are read again after a gap in their changes',
    file: `${REGISTRY}/registry-sync.ts`,
    find: 'if (version === this.#version + 1) this.#version = version;',
    replace: 'if (version > this.#version) this.#version = version;',
    spec: `${REGISTRY_SPECS}/registry.spec.ts`,
    title: 'reads all again when a change does not follow the one before',
  },
  {
    name: 'calls: an instance with another contract is not registered',
    file: `${REGISTRY}/change-instance.lua`,
    find: "if #found > 0 then return { 'conflict', unpack(found) } end",
    replace: '',
    spec: `${REGISTRY_SPECS}/contract.spec.ts`,
    title: 'is refused with the name of the living one and the methods that differ',
  },
  {
    name: 'calls: an instance that has said something new is not removed',
    file: `${REGISTRY}/change-instance.lua`,
    find: "if expected ~= '' and standing ~= expected then return same() end\n",
    replace: '',
    spec: `${REGISTRY_SPECS}/departed.spec.ts`,
    title: 'was taken for dead stays, when it has said something new since',
  },
  {
    name: 'calls: the figures of methods are bounded',
    file: `${MONITOR}/call-monitor.ts`,
    find: 'if (this.#all.length > MOST_METHODS) return (this.#other ??= this.#kept(OTHER));',
    replace: '',
    spec: MONITOR_SPEC,
    title: 'keeps no more methods apart than a bound, whatever their names are',
  },
  {
    name: 'calls: the callers of a method are counted within a bound',
    file: `${MONITOR}/method-counts.ts`,
    find: 'if (known === undefined && this.#callers.size >= MOST_CALLERS) this.#forgetEarliest();\n',
    replace: '',
    spec: MONITOR_SPEC,
    title: 'counts no more callers of a method apart than a bound',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const chosenCalls = [...repeating, ...choosing, ...knowing];
