import { GUARDS } from './guards.js';

/**
 * The guards whose absence the simulation must find by itself, with the mode in which it does.
 *
 * @typedef {object} SimulatedGuard
 * @property {string} name the guard in words
 * @property {string} file from the root of the repository
 * @property {string} find the text to replace; it must be there exactly once
 * @property {string} replace
 * @property {'shared' | 'ordered'} mode of the groups that the simulation runs
 */

const SCRIPTS = 'libs/streams/src/scripts';

const ofShared = [
  'the fence of retry', 'the fence of dead', 'the fence of an entry that is settled whole',
  'a settled message counts once', 'an entry is let go of with its last message',
  'the repetition of a settlement says that it is one', 'an entry that is given again skips what was settled',
  'only silence is death', 'a member that left counts no crash', 'a further crash counts only for what was begun',
  'a begun message is marked', 'a settled message is not put back', 'a living member keeps what it believes in',
  'a member that holds anything is not forgotten', 'messages of a read whose reply was lost are put back',
  'messages of a read that arrives late are put back',
  'a batch that was not answered is reported as stored', 'a batch that comes after its successor, or after its end, is refused',
  'a gap is not accepted', 'repeated messages come before later ones',
  'due messages stay where they are while `again` is gone', 'a dead letter is redriven once', 'a new group starts at the earliest entry',
];

// Guards that others make up for are not here. A token has the member and the epoch, and each of them is enough. A late note of a
// settled message is refused for that, whoever the owner is, and that of an open message is replaced by the next one.
const ofOrdered = [
  'ordered: a read that comes late takes nothing', 'ordered: a note of a settled message is not kept',
  'an owner drains a partition before it releases it',
  'the next fetch finds out what was not heard',
];


const REMADE = {
  name: 'a member learns that its group was made again by another one',
  file: `${SCRIPTS}/declare-group.lua`,
  find: "if known then redis.call('HSET', KEYS[7], 'remade', redis.call('HGET', KEYS[4], 'next') or 0) end\n",
  replace: '',
};

const inOrdered = [
  {
    name: 'an owner that others may take for dead begins nothing',
    file: 'libs/streams/src/own/ownership.ts',
    find: 'return this.#confirmed === this.#returns && this.#parts.presence.isSure;',
    replace: 'return this.#confirmed === this.#returns;',
  },
  {
    name: 'only the owner settles',
    file: `${SCRIPTS}/settle.lua`,
    find: 'local isOwner = token == nil or isOwnerBy(waiting.control, token)',
    replace: 'local isOwner = true',
  },
  {
    name: 'only the owner reads',
    file: `${SCRIPTS}/fetch.lua`,
    find: "if record[1] ~= member or record[2] ~= epoch then return 'LOST' end",
    replace: '',
  },
  {
    name: 'a lane is free when its message is settled',
    file: 'libs/streams/src/ordered/lane-queue.ts',
    find: 'const isFree = !lane.first && !lane.busy;',
    replace: 'const isFree = !lane.first;',
  },
  {
    name: 'a message that a handler has is not taken in again',
    file: 'libs/streams/src/ordered/owned-partition.ts',
    find: 'const fresh = open.filter(({ name }) => !inHand.has(name));',
    replace: 'const fresh = open;',
  },
  {
    name: 'a read from before the position was set back brings nothing',
    file: 'libs/streams/src/ordered/owned-partition.ts',
    find: 'if (this.#round !== from.round || ',
    replace: 'if (',
  },
];

/** @type {readonly SimulatedGuard[]} */
export const SIMULATED_GUARDS = [
  ...ofShared.map((name) => ({ ...named(name), mode: 'shared' })),
  ...ofOrdered.map((name) => ({ ...named(name), mode: 'ordered' })),
  ...inOrdered.map((guard) => ({ ...guard, mode: 'ordered' })),
  { ...REMADE, mode: 'shared' },
  { ...REMADE, mode: 'ordered' },
];

function named(name) {
  const guard = GUARDS.find((each) => each.name === name);
  if (!guard) throw new Error(`There is no guard '${name}'.`);
  return guard;
}
