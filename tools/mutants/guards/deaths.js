/** The guards of what counts as a crash when the owner of a partition dies: each death, once. */

const ORDERED = 'libs/streams/src/ordered';
const TEST = 'libs/streams/test/ordered';
const CRASHES_SPEC = `${TEST}/crashes.spec.ts`;
const DEATHS_SPEC = `${TEST}/uncounted-deaths.spec.ts`;
const SUSPECTS_SPEC = `${TEST}/suspects.spec.ts`;
const TENURES_SPEC = `${TEST}/tenures.spec.ts`;

/** @type {import('../guards.js').Guard[]} */
export const deaths = [
  {
    name: 'ordered: crashes of a message that an operator lets go on do not count any more',
    file: `${ORDERED}/suspects.ts`,
    find: 'this.#found.set(lane, { name, crashes: 0 });',
    replace: 'this.#found.set(lane, first);',
    spec: TENURES_SPEC,
    title: 'at which its partition stopped',
  },
  {
    name: 'ordered: a death counts for the first message of each lane',
    file: `${ORDERED}/suspects.ts`,
    find: 'return first?.name === name ? first.crashes : crashes;',
    replace: 'return crashes + 1;',
    spec: CRASHES_SPEC,
    title: 'for the first message of each key alone',
  },
  {
    name: 'ordered: a death counts once, however often its messages are read',
    file: `${ORDERED}/suspects.ts`,
    find: 'if (mayBeFirst && !this.#found.has(lane)) this.#find',
    replace: 'if (this.#found.get(lane)?.name === name) return crashes;\n    if (mayBeFirst && !this.#found.has(lane)) this.#find',
    spec: CRASHES_SPEC,
    title: 'once, also when its messages are read again before they begin',
  },
  {
    name: 'ordered: a death counts though the next owner has begun nothing',
    file: `${ORDERED}/owned-partition.ts`,
    find: 'this.#suspects.inherit(notes.death);',
    replace: 'this.#suspects.inherit(null);',
    spec: CRASHES_SPEC,
    title: 'a death counts though the next owner has given the partition up before it began anything',
  },
  {
    name: 'ordered: a death that is counted is not counted by the next owner',
    file: `${ORDERED}/suspects.ts`,
    find: 'begunIn > 0 && begunIn <= this.#death!',
    replace: 'begunIn > 0',
    spec: DEATHS_SPEC,
    title: 'and is killed before it has given the partition up',
  },
  {
    name: 'ordered: a death counts though its messages were dropped',
    file: `${ORDERED}/suspects.ts`,
    find: 'this.#unmarked.size + this.#keys.size === 0',
    replace: 'this.#keys.size === 0',
    spec: DEATHS_SPEC,
    title: 'while it is paused, and has dropped what it had read',
  },
  {
    name: 'ordered: a death counts though a released key is not opened yet',
    file: `${ORDERED}/suspects.ts`,
    find: 'for (const key of keys) this.#keys.add(key);',
    replace: '',
    spec: SUSPECTS_SPEC,
    title: 'is not counted while the first message of a released key is not found',
  },
  {
    name: 'ordered: a mark of an earlier tenure counts no death',
    file: `${ORDERED}/suspects.ts`,
    find: 'if (epoch === this.#epoch) this.ended',
    replace: 'this.ended',
    spec: SUSPECTS_SPEC,
    title: 'is counted when each suspect is marked in this tenure',
  },
  {
    name: 'ordered: a partition knows its suspects before its user is ready',
    file: `${ORDERED}/ordered-member.ts`,
    find: '    partition.acquired(acquisition.epoch);\n    this.#listeners.get(place)!.assigned(acquisition.epoch, () => {\n',
    replace: '    this.#listeners.get(place)!.assigned(acquisition.epoch, () => {\n      partition.acquired(acquisition.epoch);\n',
    spec: DEATHS_SPEC,
    title: 'before it reads',
  },
  {
    name: 'ordered: a death that is counted is forgotten',
    file: `${ORDERED}/suspects.ts`,
    find: '    this.#onCounted(this.#death);\n',
    replace: '',
    spec: DEATHS_SPEC,
    title: 'a death that is counted counts for no message that came later',
  },
  {
    name: 'ordered: a later death is not forgotten with an earlier one',
    file: 'libs/streams/src/scripts/forget-death.lua',
    find: "if redis.call('HGET', KEYS[1], 'suspects') ~= ARGV[1] then return 0 end\n",
    replace: '',
    spec: DEATHS_SPEC,
    title: 'a death is forgotten by its epoch',
  },
];
