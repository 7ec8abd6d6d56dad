/** The guards of what handlers forward. */

const SCRIPTS = 'libs/streams/src/scripts';
const FORWARD = 'libs/streams/src/forward';
const ADDING_SPEC = 'libs/streams/test/forward/adding.spec.ts';
const LANE_SPEC = 'libs/streams/test/forward/lane.spec.ts';
const ORDERED_SPEC = 'libs/streams/test/forward/ordered.spec.ts';
const REPLICATED_SPEC = 'libs/streams/test/forward/replicated.spec.ts';
const RACES_SPEC = 'libs/streams/test/forward/interleaving.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const forwarding = [
  {
    name: 'a settlement that is repeated forwards nothing again',
    file: `${SCRIPTS}/settle.lua`,
    find: 'if forwards[name] and not before[offset] then',
    replace: 'if forwards[name] then',
    spec: ADDING_SPEC,
    title: 'adds it once, though it is repeated',
  },
  {
    name: 'a message whose forwards cannot be added is not settled',
    file: `${SCRIPTS}/settle.lua`,
    find: "      redis.call('SETBIT', bitmaps[math.floor(name / page)], name % page, 0)",
    replace: '',
    spec: ADDING_SPEC,
    title: 'settles nothing when it cannot be added',
  },
  {
    name: 'a lane is added to by its member alone',
    file: `${SCRIPTS}/include/forwards.lua`,
    find: 'if owner ~= member then return nil end',
    replace: '',
    spec: ADDING_SPEC,
    title: 'does nothing when another member has the lane',
  },
  {
    name: 'numbers that a server may have lost are not given again',
    file: `${SCRIPTS}/include/forwards.lua`,
    find: "if string.sub(lane.generation, 1, #server + 1) == server .. '.' then return end",
    replace: "if lane.generation ~= '-' then return end",
    spec: ADDING_SPEC,
    title: 'numbers what it adds anew',
  },
  {
    name: 'a partition stores a number of a lane once',
    file: `${SCRIPTS}/publish.lua`,
    find: 'if known and tonumber(first) <= tonumber(known) then',
    replace: 'if false then',
    spec: RACES_SPEC,
    title: 'store each message once and in order',
  },
  {
    name: 'nothing of a lane is sent while a lower number may be unknown',
    file: `${FORWARD}/forward-lane.ts`,
    find: 'if (lane === nextLane && generation === nextGeneration && first === number) {',
    replace: 'if (lane === nextLane && generation === nextGeneration && first >= number) {',
    spec: RACES_SPEC,
    title: 'store each message once and in order',
  },
  {
    name: 'a message that was stored before a raise is not stored again',
    file: `${FORWARD}/earlier-records.ts`,
    find: 'return this.#earlierOf(name).length > 0;',
    replace: 'return name.length === 0;',
    spec: RACES_SPEC,
    title: 'store each message once though the topic is given more partitions',
  },
  {
    name: 'a lane that ends looks whether it was told of more',
    file: `${FORWARD}/forward-lane.ts`,
    find: 'if (this.#hasWork) this.#begin();',
    replace: '',
    spec: LANE_SPEC,
    title: 'sends what is added while it ends',
  },
  {
    name: 'entries that others have sent take no room',
    file: `${FORWARD}/forward-lane.ts`,
    find: 'this.#waiting = this.#queue.reduce((sum, { name }) => sum + name.count, 0);',
    replace: 'this.#waiting = own.reduce((sum, { count }) => sum + count, 0);',
    spec: LANE_SPEC,
    title: 'does not wait for room that entries take which others sent',
  },
  {
    name: 'the next owner of a partition goes on with its lane',
    file: 'libs/streams/src/ordered/ordered-member.ts',
    find: 'const names = (): readonly string[] => [];',
    replace: 'const names = (): readonly string[] => membership.names;',
    spec: ORDERED_SPEC,
    title: 'keep the order of a key when its partition goes to another member',
  },
  {
    name: 'what is read of a forward log is as durable as outcomes before it is sent',
    file: `${FORWARD}/forwarder.ts`,
    find: 'const log = new ForwardLog({ redis, durability }, place);',
    replace: "const log = new ForwardLog({ redis, durability: durability && 'server' }, place);",
    spec: REPLICATED_SPEC,
    title: 'are sent when a replica has their settlement, and not before',
  },
  {
    name: 'what a settlement that is given up may have added is looked for',
    file: 'libs/streams/src/consume/settler.ts',
    find: 'if (gone.some(({ delivery }) => delivery.forwarded)) this.#parts.forwarder?.laneOf(partition).doubt();',
    replace: 'void partition;',
    spec: REPLICATED_SPEC,
    title: 'are sent when a replica has their settlement, and not before',
  },
];
