/** The guards of writing and reading a log. */

const SCRIPTS = 'libs/streams/src/scripts';
const IDS_SPEC = 'libs/streams/test/entry-ids.spec.ts';
const DAMAGE_SPEC = 'libs/streams/test/damage.spec.ts';
const FORMAT_SPEC = 'libs/streams/test/log-format.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const storing = [
  {
    name: 'copies of an earlier log go with it',
    file: 'libs/streams/src/log/topic-log.ts',
    find: 'stats, open, due, body, again, begun);',
    replace: 'stats, open, due, body);',
    spec: 'libs/streams/test/faults.spec.ts',
    title: 'log and meta together, with copies left',
  },
  {
    name: 'an id of somebody else stops no publish',
    file: `${SCRIPTS}/include/add-entry.lua`,
    find: "if not string.find(reply.err, 'equal or smaller', 1, true) then error(reply) end",
    replace: 'error(reply)',
    spec: IDS_SPEC,
    title: 'a foreign entry with an id in the year 2286 is dead-lettered',
  },
  {
    name: 'a clock that is set back stops no publish',
    file: `${SCRIPTS}/include/add-entry.lua`,
    find: 'return lastMs and tonumber(lastMs) > now and lastMs or',
    replace: 'return',
    spec: IDS_SPEC,
    title: 'has the ms of the last id when the clock was set back',
  },
  {
    name: 'offsets that the log holds are not given again',
    file: `${SCRIPTS}/include/add-entry.lua`,
    find: 'if newestBase and newestBase + size > base then',
    replace: 'if false then',
    spec: IDS_SPEC,
    title: 'refuses a next offset that is too low',
  },
  {
    name: 'the fields of an entry must be ours, for scripts',
    file: `${SCRIPTS}/include/entry-id.lua`,
    find: "  if fields and (#fields ~= 2 or fields[1] ~= 'm') then return nil end\n",
    replace: '',
    spec: IDS_SPEC,
    title: 'a foreign entry with our field, and one more does not decide where the offsets go on',
  },
  {
    name: 'the fields of an entry must be ours, for members',
    file: 'libs/streams/src/log/entry.ts',
    find: "if (fields?.length !== 2 || fields[0] !== TEXT_FIELD || !isArray(fields[1]!)) return null;",
    replace: '',
    spec: IDS_SPEC,
    title: 'with an id that could be ours is dead-lettered',
  },
  {
    name: 'the last id tells no offset where somebody else gave it',
    file: `${SCRIPTS}/include/next-offset.lua`,
    find: '    if entry[1] == lastId then next = 0 end\n',
    replace: '',
    spec: IDS_SPEC,
    title: 'a foreign entry with an id in the year 2286 does not decide where the offsets go on',
  },
  {
    name: 'the last id of an emptied log tells the next offset',
    file: `${SCRIPTS}/trim.lua`,
    find: 'if not base or base + size ~= next then\n    redis',
    replace: 'if false then\n    redis',
    spec: IDS_SPEC,
    title: 'does not decide either where the offsets go on when it was the last entry that retention removed',
  },
  {
    name: 'the last entry tells that the next offset is damaged',
    file: `${SCRIPTS}/include/next-offset.lua`,
    find: 'nextByLastEntry(log, state[2]) or next or',
    replace: 'next or',
    spec: DAMAGE_SPEC,
    title: 'a next offset that is too high is corrected while a member is there',
  },
  {
    name: 'a damaged next offset is taken for none',
    file: `${SCRIPTS}/include/stored-offset.lua`,
    find: "string.match(text or '', '^%d+$') and tonumber(text)",
    replace: 'tonumber(text or nil)',
    spec: DAMAGE_SPEC,
    title: 'a next offset that reads -5 is corrected by the next publish',
  },
  {
    name: 'a group whose start is lost is made known again',
    file: `${SCRIPTS}/audit.lua`,
    find: "if not start or redis.call('HEXISTS', meta, 'next') == 0 then return 'UNDECLARED' end",
    replace: 'if not start then return -1 end',
    spec: DAMAGE_SPEC,
    title: 'is restored when only it is lost, while a member is there',
  },
  {
    name: 'a log of another format is not declared',
    file: `${SCRIPTS}/declare-partition.lua`,
    find: "if other then return 'FORMAT ' .. other end\n",
    replace: '',
    spec: FORMAT_SPEC,
    title: 'a log of another format that is declared is refused, and stays as it is',
  },
  {
    name: 'a log of another format is not published to',
    file: `${SCRIPTS}/publish.lua`,
    find: 'local next = state[3] == FORMAT and offsetOf(',
    replace: 'local next = offsetOf(',
    spec: FORMAT_SPEC,
    title: 'a log of another format that is published to is refused, and stays as it is',
  },
  {
    name: 'a place in a log of another format is not looked for',
    file: `${SCRIPTS}/locate.lua`,
    find: "if state[2] ~= FORMAT then return 'FORMAT ' .. (state[2] or 1) end\n",
    replace: '',
    spec: FORMAT_SPEC,
    title: 'a log of another format that is sought in is refused, and stays as it is',
  },
];
