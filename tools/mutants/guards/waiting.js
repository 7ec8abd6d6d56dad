/** The guards of messages that wait for another attempt. */

const SCRIPTS = 'libs/streams/src/scripts';
const WAITING_SPEC = 'libs/streams/test/waiting.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const waiting = [
  {
    name: 'a trim copies what waits',
    file: `${SCRIPTS}/trim.lua`,
    find: 'isCopying = not copyWaiting(entry, base + size)',
    replace: 'isCopying = false',
    spec: WAITING_SPEC,
    title: 'removes no waiting message before its text is copied',
  },
  {
    name: 'a trim copies no more in a call than it may',
    file: `${SCRIPTS}/trim.lua`,
    find: 'if copied >= MOST_COPIED or copiedBytes',
    replace: 'if copiedBytes',
    spec: WAITING_SPEC,
    title: 'removes no waiting message before its text is copied',
  },
  {
    name: 'due messages wait for room',
    file: `${SCRIPTS}/tend.lua`,
    find: 'if roomOf(group) <= 0 or (',
    replace: 'if (',
    spec: WAITING_SPEC,
    title: 'is delivered again as there is room for it',
  },
  {
    name: 'the text of what is done is removed',
    file: `${SCRIPTS}/include/waiting.lua`,
    find: "  redis.call('HDEL', group.body, offset)\n",
    replace: '',
    spec: WAITING_SPEC,
    title: 'leaves no text of a done message behind',
  },
  {
    name: 'a retry that a seek made void is given to nobody',
    file: `${SCRIPTS}/tend.lua`,
    find: 'if record.isVoid then',
    replace: 'if false then',
    spec: WAITING_SPEC,
    title: 'makes the messages behind it void, which are never delivered',
  },
  {
    name: 'a seek begins when what the one before made void is removed',
    file: `${SCRIPTS}/seek.lua`,
    find: "if seekOf(waiting).position then return 'SWEEPING' end\n",
    replace: '',
    spec: WAITING_SPEC,
    title: 'follows another seek, also when not all of its void messages are removed yet',
  },
  {
    name: 'a repetition takes nothing that waits for settled',
    file: `${SCRIPTS}/settle.lua`,
    find: 'isMarked(base, size) and not waits(base, size)',
    replace: 'isMarked(base, size)',
    spec: 'libs/streams/test/settle-runs.spec.ts',
    title: 'refuses what others put back meanwhile',
  },
  {
    name: 'a seek keeps what was held before it in its own entry',
    file: `${SCRIPTS}/seek.lua`,
    find: 'keepBefore(base, entry)\nletGo()',
    replace: 'letGo()',
    spec: WAITING_SPEC,
    title: 'keeps the messages that a vanished member held before it',
  },
  {
    name: 'a waiting message is not put back a second time',
    file: `${SCRIPTS}/redrive.lua`,
    find: '    if record and not record.isVoid then return end\n',
    replace: '',
    spec: 'libs/streams/test/dead-letters.spec.ts',
    title: 'counts a message once in the lag that was given up twice',
  },
  {
    name: 'a message that has a record and waits nowhere waits anew',
    file: `${SCRIPTS}/audit.lua`,
    find: '  findMissing(group)\n',
    replace: '',
    spec: 'libs/streams/test/loss.spec.ts',
    title: 'when only due is gone, one of the two keys of waiting messages',
  },
  {
    name: 'a message whose record is gone waits until it has a new one',
    file: `${SCRIPTS}/audit.lua`,
    find: 'local waiting = recorded(group, next)',
    replace: 'local waiting = 0',
    spec: 'libs/streams/test/loss.spec.ts',
    title: 'when only open is gone, one of the two keys of waiting messages',
  },
];
