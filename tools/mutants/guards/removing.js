/** The guards of removed topics and groups. */

const SCRIPTS = 'libs/streams/src/scripts';
const LOG = 'libs/streams/src/log/topic-log.ts';
const SPEC = 'libs/streams/test/removal.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const removing = [
  {
    name: 'a member that goes on heeds the tombstone of its group',
    file: `${SCRIPTS}/declare-group.lua`,
    find: "if ARGV[3] ~= '1' then return 'REMOVED' end",
    replace: '',
    spec: SPEC,
    title: 'is refused while members live, and removed by force',
  },
  {
    name: 'a member that goes on heeds the tombstone of its topic',
    file: `${SCRIPTS}/declare-partition.lua`,
    find: "if removal > 0 and ARGV[3] ~= '1' then return 'REMOVED' end",
    replace: '',
    spec: SPEC,
    title: 'is refused while a member of any group lives',
  },
  {
    name: 'a publisher that goes on heeds the tombstone of its topic before it writes anything',
    file: LOG,
    find: 'if ((await this.#tombstones.inForce(topic.name)) !== null) throw topicRemoved(topic.name);',
    replace: '',
    spec: SPEC,
    title: 'goes with its messages and groups; running publishers are refused',
  },
  {
    name: 'a declaration finishes the removal of the group first',
    file: LOG,
    find: 'if (removal !== null) await this.#tombstones.finishGroup(topic, group, removal);',
    replace: '',
    spec: SPEC,
    title: 'a group that is removed never counts as whole when the removal breaks off at call 1',
  },
  {
    name: 'a removal that comes late takes nothing of what was declared anew',
    file: `${SCRIPTS}/remove.lua`,
    find: "if known > number or -known >= number then return 'PAST' end",
    replace: '',
    spec: SPEC,
    title: 'is not touched again, once it was declared anew',
  },
  {
    name: 'a group with living members is not removed',
    file: `${SCRIPTS}/begin-removal.lua`,
    find: "(mode == 'idle' and #members == 0)",
    replace: "mode == 'idle'",
    spec: SPEC,
    title: 'is refused while members live, and removed by force',
  },
];
