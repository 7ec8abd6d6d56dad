/** The guards of durability: what was confirmed, by whom, and that nothing counts before. */

const CONFIRMATION = 'libs/streams/src/durable/confirmation.ts';
const OUTCOME_ROUTES = 'libs/streams/src/durable/outcome-routes.ts';
const ROUTES = 'libs/streams/src/durable/durable-routes.ts';
const CLAIMS_SPEC = 'libs/streams/test/durability-claims.spec.ts';
const OUTCOMES_SPEC = 'libs/streams/test/durability-outcomes.spec.ts';
const PUT_ASIDE_SPEC = 'libs/streams/test/ordered/put-aside-replicated.spec.ts';
const SPEC = 'libs/streams/test/durability.spec.ts';

const confirming = [
  {
    name: 'as many replicas confirm as are wanted',
    file: CONFIRMATION,
    find: 'if (confirmed >= replicas) return;',
    replace: 'if (confirmed >= Math.min(1, replicas)) return;',
    spec: SPEC,
    title: 'says how many of how many confirmed',
  },
  {
    name: 'a write that no replica has is not confirmed',
    file: CONFIRMATION,
    find: 'if (confirmed >= replicas) return;',
    replace: 'if (confirmed >= 0 || replicas) return;',
    spec: SPEC,
    title: 'resolves when a replica has it, and is indefinite when the replica does not answer',
  },
  {
    name: 'a write that is not on the disk is not confirmed',
    file: CONFIRMATION,
    find: 'if (onDisk >= 1) return;',
    replace: 'if (onDisk >= 0) return;',
    spec: SPEC,
    title: 'is indefinite when the disk is too slow',
  },
  {
    name: 'a confirmation that was lost is asked for again',
    file: CONFIRMATION,
    find: "if (failure.kind !== 'fatal' && failure.kind !== 'unknown') throw new RedisFailure(",
    replace: "if (failure.kind === 'fatal') throw new RedisFailure(",
    spec: SPEC,
    title: 'is sent again when the answer is lost',
  },
  {
    name: 'another server is asked anew how it writes to its disk',
    file: CONFIRMATION,
    find: 'if (this.#checkedAt === connectionEpoch) return;',
    replace: 'if (this.#checkedAt !== null) return;',
    spec: 'libs/streams/test/failover.spec.ts',
    title: 'does not confirm fsynced() on a new primary that does not write at once',
  },
  {
    name: 'a publish that is not confirmed is indefinite',
    file: 'libs/streams/src/publish/batch.ts',
    find: 'if (unconfirmed) rejectAll(batch, unconfirmed);\n  else settleBatch',
    replace: 'settleBatch',
    spec: SPEC,
    title: 'resolves when a replica has it, and is indefinite when the replica does not answer',
  },
  {
    name: 'publishes that wait for replicas have connections of their own',
    file: ROUTES,
    find: 'this.#redis.waitingFor(key, `${this.#purpose}:${nameOf(durability)}`)',
    replace: 'this.#redis.publishFor(key)',
    spec: SPEC,
    title: 'does not delay publishes that ask for less',
  },
];

const claiming = [
  {
    name: 'the claim of an idempotency key is confirmed before its message is sent',
    file: 'libs/streams/src/publish/key-claims.ts',
    find: 'await runDurably(route, claimKeys, ',
    replace: 'await runDurably({ ...route, confirmation: null }, claimKeys, ',
    spec: CLAIMS_SPEC,
    title: 'is confirmed before its message is sent: without a replica the publish is refused, and nothing is stored',
  },
  {
    name: 'a failover loses no claim of a confirmed message',
    file: 'libs/streams/src/publish/key-claims.ts',
    find: 'await runDurably(route, claimKeys, ',
    replace: 'await runDurably({ ...route, confirmation: null }, claimKeys, ',
    spec: CLAIMS_SPEC,
    title: 'that was lost in a failover has no confirmed message',
  },
  {
    name: 'a claim that is not confirmed refuses the publish at once',
    file: 'libs/streams/src/publish/key-claims.ts',
    find: 'if (shortfall instanceof Unconfirmed) throw refused(topic, shortfall.message, shortfall);\n',
    replace: '',
    spec: CLAIMS_SPEC,
    title: 'is confirmed before its message is sent: without a replica the publish is refused, and nothing is stored',
  },
  {
    name: 'a claim whose confirmation was lost is put again',
    file: 'libs/streams/src/publish/key-claims.ts',
    find: 'if (shortfall) throw shortfall;\n',
    replace: '',
    spec: SPEC,
    title: 'asks again when the confirmation of its idempotency key is lost: it does not count as confirmed',
  },
  {
    name: 'a message from before a raise counts when it is confirmed',
    file: 'libs/streams/src/publish/earlier-uses.ts',
    find: 'if (error) item.reject(error);\n    else item',
    replace: 'item',
    spec: SPEC,
    title: 'that was stored before a raise is found, and counts when replicas have it',
  },
];

const settling = [
  {
    name: 'a stop ends the waits for confirmations before its deadline',
    file: 'libs/streams/src/consume/running-member.ts',
    find: 'if (!settler.confirmNoLonger()) return;',
    replace: 'if (settler) return;',
    spec: 'libs/streams/test/stops-unconfirmed.spec.ts',
    title: 'a stop waits for replicas until shortly before its deadline',
  },
  {
    name: 'an outcome counts when it is confirmed',
    file: ROUTES,
    find:
      "  if (shortfall instanceof Unconfirmed) throw new RedisFailure('unconfirmed', shortfall.message, shortfall);\n" +
      '  if (shortfall) throw shortfall;\n',
    replace: '',
    spec: OUTCOMES_SPEC,
    title: 'an outcome counts when replicas have it, and is written again until then (shared',
  },
  {
    name: 'outcomes have the durability of their group',
    file: OUTCOME_ROUTES,
    find: 'this.#routes.to(key, this.#durability)',
    replace: "this.#routes.to(key, this.#durability && 'server')",
    spec: OUTCOMES_SPEC,
    title: 'an outcome counts when replicas have it, and is written again until then (ordered',
  },
  {
    name: 'outcomes of released keys have the durability of their group',
    file: 'libs/streams/src/ordered/parked-messages.ts',
    find: "id, ...outcome], 'run');",
    replace: "id, ...outcome], 'runPlainly');",
    spec: PUT_ASIDE_SPEC,
    title: 'a message of a released key that is handled counts as that when replicas have it',
  },
  {
    name: 'a message is settled as put aside when it is confirmed that it is',
    file: 'libs/streams/src/ordered/parked-messages.ts',
    find: 'this.#outcomes.run(partition',
    replace: 'this.#outcomes.runPlainly(partition',
    spec: PUT_ASIDE_SPEC,
    title: 'a message leaves the log when replicas have it among those that are put aside',
  },
];

/** @type {import('../guards.js').Guard[]} */
export const durable = [...confirming, ...claiming, ...settling];
