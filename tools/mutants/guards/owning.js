/** The guards of the owners of partitions: one at a time, each under an epoch of its own. */

const OWN = 'libs/streams/src/own';
const SCRIPTS = 'libs/streams/src/scripts';
const OWNERSHIP_SPEC = 'libs/streams/test/own/ownership.spec.ts';
const RECORDS_SPEC = 'libs/streams/test/own/owner-records.spec.ts';
const STEP_SPEC = 'libs/streams/test/own/ownership-step.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const owning = [
  {
    name: 'an owner is made from the expected record alone',
    file: `${SCRIPTS}/acquire.lua`,
    find: 'if presentOwner ~= owner or presentEpoch ~= epoch then return { presentOwner, presentEpoch } end',
    replace: '',
    spec: RECORDS_SPEC,
    title: 'is refused when the record is another one',
  },
  {
    name: 'a new owner has a higher epoch',
    file: `${SCRIPTS}/acquire.lua`,
    find: '(offsetOf(epoch) or 0) + 1',
    replace: 'math.max(offsetOf(epoch) or 0, 1)',
    spec: RECORDS_SPEC,
    title: 'makes the member its owner under epoch 1, and counts on',
  },
  {
    name: 'a new owner has an epoch above those that a database knows',
    file: `${SCRIPTS}/acquire.lua`,
    find: ', tonumber(least))',
    replace: ', 0)',
    spec: RECORDS_SPEC,
    title: 'takes at least the epoch that is given',
  },
  {
    name: 'an owner that acquires again finds what it has done',
    file: `${SCRIPTS}/acquire.lua`,
    find: '  if presentOwner == member and presentEpoch == text then return next end\n',
    replace: '',
    spec: RECORDS_SPEC,
    title: 'is harmless when it is repeated, until another has acquired it',
  },
  {
    name: 'an owner alone releases its partition',
    file: `${SCRIPTS}/release.lua`,
    find: '  if record[1] ~= member then return 0 end\n',
    replace: '',
    spec: RECORDS_SPEC,
    title: 'is refused to all but the owner of that epoch',
  },
  {
    name: 'an owner releases its partition under its own epoch alone',
    file: `${SCRIPTS}/release.lua`,
    find: '  if record[2] ~= epoch then return 0 end\n',
    replace: '',
    spec: RECORDS_SPEC,
    title: 'is refused to all but the owner of that epoch',
  },
  {
    name: 'an owner that may have been taken for dead verifies its records',
    file: `${OWN}/ownership.ts`,
    find: ' || stake.confirmedAt !== this.#returns',
    replace: '',
    spec: OWNERSHIP_SPEC,
    title: 'owns nothing before it has asked Redis',
  },
  {
    name: 'an owner that others may take for dead owns nothing',
    file: `${OWN}/ownership.ts`,
    find: ' || !this.#parts.presence.isSure',
    replace: '',
    spec: OWNERSHIP_SPEC,
    title: 'owns nothing before it has asked Redis',
  },
  {
    name: 'an owner drains a partition before it releases it',
    file: `${OWN}/ownership.ts`,
    find: '    await this.#tell(() => this.#parts.user.revoked(stake.place));\n',
    replace: '    void this.#tell(() => this.#parts.user.revoked(stake.place));\n',
    spec: OWNERSHIP_SPEC,
    title: 'wait for who has to finish first',
  },
  {
    name: 'an owner goes above all epochs that it remembers',
    file: `${OWN}/ownership.ts`,
    find: 'leastEpoch: knownEpoch + 1',
    replace: 'leastEpoch: 1',
    spec: OWNERSHIP_SPEC,
    title: 'FLUSHALL: each partition is lost',
  },
  {
    name: 'owners learn at once that a member has left',
    file: `${SCRIPTS}/forget-member.lua`,
    find: "if ARGV[3] == '1' then ring(KEYS[1], 'control ' .. group) end\n",
    replace: '',
    spec: RECORDS_SPEC,
    title: 'rings where the group looks for its members',
  },
  {
    name: 'an owner that stops is assigned nothing',
    file: 'libs/streams/src/group/membership.ts',
    find: '.filter((name) => !this.#presence.isStopping(name))',
    replace: '',
    spec: OWNERSHIP_SPEC,
    title: 'is assigned nothing while it stops',
  },
  {
    name: 'an owner that others may take for dead acquires nothing',
    file: `${OWN}/ownership-step.ts`,
    find: 'kind: isSure && (',
    replace: 'kind: (',
    spec: STEP_SPEC,
    title: 'acquires nothing: the owner may be gone by its own standstill alone',
  },
  {
    name: 'an owner keeps for a while what it has just acquired',
    file: `${OWN}/ownership-step.ts`,
    find: 'sinceMs + LEAST_TENURE_MS - nowMs',
    replace: 'sinceMs - nowMs',
    spec: STEP_SPEC,
    title: 'is held for a while when it was acquired just now',
  },
  {
    name: 'an owner acts on members that were the same for a beat',
    file: `${OWN}/stable-view.ts`,
    find: 'if (!isSame || ',
    replace: 'if (',
    spec: STEP_SPEC,
    title: 'begins anew with each change, and with the first look',
  },
  {
    name: 'an owner keeps a partition that it need not give up',
    file: `${OWN}/assignment.ts`,
    find: '  for (const [index, owner] of dearest(roll)) if ((room.get(owner) ?? 0) > 0) give(index, owner);\n',
    replace: '',
    spec: 'libs/streams/test/own/assignment.spec.ts',
    title: 'moves as many partitions as a member gets who joins',
  },
];
