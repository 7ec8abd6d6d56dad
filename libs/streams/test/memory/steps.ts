import { type Draws, PAGE, PER_ENTRY, pick, type Scenario, spanOf, WINDOW_MS } from './scenario.js';

type Step = (scenario: Scenario, draws: Draws) => Promise<unknown>;

const members = ['m1', 'm2'];
const OWNER = '~owner';

function chunked(texts: readonly string[]): string[] {
  return texts.flatMap((_, from) => (from % PER_ENTRY === 0 ? [`[${texts.slice(from, from + PER_ENTRY).join(',\n')}]`] : []));
}

/** Mostly the next batch of a producer, sometimes another one; with or without idempotency keys, delays and bounds. */
const publish: Step = async (scenario, [a = 0, b = 0, c = 0, d = 0, e = 0]) => {
  const { log, meta, producers, ids, delayed } = scenario.keys;
  const producer = pick(['p', 'q'], a);
  const number = Math.max(1, (scenario.published.get(producer) ?? 0) + pick([1, 1, 1, 1, 1, 1, 1, 1, 0, 2], b));
  const texts = Array.from({ length: pick([1, 1, 2, 3, 17, 20], c) }, () => scenario.envelope());
  const bounds = pick([[0, '0'], [0, '0'], [60, '0'], [0, '1']], d);
  const uses = usesOf(texts.length, e);
  const dues = texts.map((_, index) => pick(['', '', '+5000', String(scenario.twin.now + 9_000)], e + index));
  const isPlain = e % 2 === 0;
  const claimedIn = pick(['', '', '', Math.floor(scenario.twin.now / WINDOW_MS), 1], e);
  const extra = isPlain ? [] : [WINDOW_MS, claimedIn, uses, e % 3 === 0 ? JSON.stringify(dues) : ''];
  const keys = [log, meta, producers, ...(isPlain ? [] : [...ids, delayed])];
  const head = [producer, number, 1_000, texts.length, PER_ENTRY, PAGE, ...bounds, 1];
  const reply = await scenario.run('publish', keys, [...head, ...extra, ...chunked(texts)]);
  if (/^[+=!]/.test(String(reply))) scenario.published.set(producer, number);
};

function usesOf(count: number, draw: number): string {
  const places = Array.from({ length: count }, (_, index) => index + 1).filter((place) => (place + draw) % 3 !== 0);
  if (places.length === 0) return '';
  const owners = places.map((place) => `${pick(['d', 'e', 'd'], draw + place)} id${place}`).join('\n');
  return JSON.stringify([places.map((place) => pick(['k', 'l', 'ü', `k${place}`], draw + place)), owners, places]);
}

const close: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const producer = pick(['p', 'q'], a);
  const first = Math.max(1, (scenario.published.get(producer) ?? 0) + pick([1, 0, -1, 2, -5], b));
  const last = first + (c % 3);
  const reply = await scenario.run('close', [scenario.keys.producers], [producer, first, last, 1_000]);
  if (Array.isArray(reply)) scenario.published.set(producer, Math.max(last, scenario.published.get(producer) ?? 0));
};

const claim: Step = (scenario, [a = 0, b = 0]) => {
  const claims = [pick(['k', 'l'], a), pick(['d', 'e', 'dd'], b), 1, pick(['k', 'ü'], b), pick(['d', 'e'], a), 2];
  return scenario.run('claim', scenario.keys.ids, [WINDOW_MS, ...claims]);
};

const declare: Step = async (scenario, [a = 0, b = 0]) => {
  const { log, meta, groups, removed } = scenario.keys;
  const flag = pick(['', '1'], b);
  await scenario.run('declare-partition', [log, meta, groups, removed], ['generation', pick(['0', '1'], a), flag, 1]);
  const { again, stats, control } = scenario.group;
  const [place] = pick(scenario.entries(log).concat([['', []]]), b);
  await scenario.run('declare-group', [log, groups, again, meta, stats, removed, control], ['g', pick(['', place], a), flag]);
};

const declareHook: Step = (scenario, [a = 0]) => {
  return scenario.run('declare-hook', [scenario.group.dead, scenario.group.control, scenario.keys.groups], ['hook', pick(members, a), 'g']);
};

const read: Step = (scenario, [a = 0, b = 0, c = 0]) => {
  const stream = scenario.stream(pick(['log', 'log', 'again'], a));
  return scenario.twin.call('XREADGROUP', 'GROUP', 'g', pick(members, b), 'COUNT', 1 + (c % 4), 'STREAMS', stream, '>');
};

/** Mostly by the member that holds an entry. */
const settle: Step = async (scenario, [a = 0, b = 0, c = 0, d = 0, e = 0]) => {
  const kind = pick(['log', 'again'], a);
  const stream = scenario.stream(kind);
  if (scenario.held(stream).length === 0) await read(scenario, [kind === 'log' ? 0 : 2, b, c]);
  const [id, holder] = pick(scenario.held(stream).concat([['1800000000000-0', 'm1']]), b);
  const member = pick([holder, holder, holder, 'm2'], c);
  const by = member === OWNER ? `${OWNER} ${ownerOf(scenario, d)} ${pick(['', String(e % 60)], c)}` : member;
  const whole = kind === 'log' && d % 3 === 0 ? scenario.held(stream).filter(([, owner]) => owner === member).map(([each]) => each) : [];
  const runs = whole.length > 0 ? [] : runOf(scenario, { kind, id, draws: [d, e] });
  const { stats, due, dead, again, open, begun, body, control } = scenario.group;
  const pages = pagesOf([...whole, id]);
  const own = [stream, stats, due, dead, again, open, begun, scenario.keys.log, body, control];
  const keys = [...own, ...pages.map((page) => scenario.page(page))];
  const head = ['g', by, kind, PAGE, pick(['0', '0', '1'], e), pages.join(','), 100];
  return scenario.run('settle', keys, [...head, whole.length, ...whole, ...runs]);
};

function pagesOf(ids: readonly string[]): number[] {
  const offsets = ids.map(spanOf).flatMap(([base, size]) => [base, base + size - 1]);
  return [...new Set(offsets.map((offset) => Math.floor(offset / PAGE)))];
}

interface Chosen {
  readonly kind: string;
  readonly id: string;
  readonly draws: Draws;
}

function runOf(scenario: Scenario, { kind, id, draws: [d = 0, e = 0] }: Chosen): (string | number)[] {
  const [base, size] = spanOf(id);
  const copy = kind === 'again' ? scenario.entries(scenario.group.again).find(([each]) => each === id)?.[1][1] : undefined;
  const offset = copy ? Number(/^\[(-?\d+)/.exec(copy)?.[1] ?? -1) : base + (d % size);
  const outcomes: (string | number)[][] = [
    ['ack', 'handled', ''], ['ack', 'discarded', ''], ['retry', 0, '2 0 1800000000001'], ['retry', 5_000, '2 0 -'],
    ['dead', scenario.envelope(), '{"reason":"r"}'], ['release', '1 0 -', ''],
  ];
  const outcome = pick(outcomes, d);
  const count = outcome[0] === 'ack' && kind === 'log' ? size - (d % size) : 1;
  return [id, copy ? offset : base, copy ? 1 : size, offset, count, ...outcome, pick(['', '', 'id/', 'none'], e)];
}

const begin: Step = (scenario, [a = 0, b = 0]) => {
  const { again, begun } = scenario.group;
  const [id] = pick(scenario.held(again).concat([['1-1', '']]), a);
  return scenario.run('begin', [again, begun], ['g', pick(members, b), id]);
};

const putBack: Step = async (scenario, [a = 0, b = 0, c = 0, d = 0]) => {
  const { again, stats, open, begun, due, body, control } = scenario.group;
  const kind = pick(['log', 'again'], a);
  const [first = ['1800000000000-0']] = scenario.entries(scenario.keys.log);
  const page = Math.floor(spanOf(first[0])[0] / PAGE);
  const own = [scenario.stream(kind), again, stats, open, begun, scenario.keys.log, due, body, control];
  const keys = [...own, scenario.page(page), scenario.page(page + 1)];
  const kept = d % 4 === 0 ? scenario.held(scenario.stream(kind)).slice(0, 1).map(([id]) => id) : [];
  const fate = pick(['dead', 'left', 'living'], c);
  await scenario.run('put-back', keys, ['g', pick(members, b), kind, PAGE, page, fate, 1 + (d % 5), '0-0', ...kept]);
};

const tend: Step = (scenario, [a = 0]) => {
  return scenario.run('tend', [...scenario.waitingKeys(), scenario.group.forward], [1 + (a % 8), 'g']);
};

const audit: Step = (scenario) => {
  const { log, meta, groups } = scenario.keys;
  const { stats, open, due, again, body, control } = scenario.group;
  return scenario.run('audit', [log, meta, groups, stats, open, due, again, body, control], ['g']);
};

const membership: Step = async (scenario, [a = 0, b = 0]) => {
  const { log } = scenario.keys;
  const member = pick(members, a);
  const joining = ['g', member, pick(['', '', 'key'], b), pick(['', '1'], a + b), OWNER, ...pick([[], ['m2']], a)];
  await scenario.run('join', [log, scenario.group.control], joining);
  await scenario.run('watch-group', [scenario.group.control, log, scenario.keys.meta], ['g', member, pick(['', 'pause'], b)]);
  await scenario.run('beat', [scenario.presence('one'), scenario.presence('two')], [pick(['record', ''], b), 100_000]);
  if (b % 3 === 0) await scenario.run('forget-member', [log, scenario.group.again], ['g', member]);
};

const own: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const { control } = scenario.group;
  const [member, other] = [pick(members, a), pick(['', ...members], b)];
  const expected = [other, pick(['', '1', '2', 'damaged'], c)];
  await scenario.run('acquire', [control, scenario.keys.meta], ['g', member, ...expected, pick([0, 7], b), pick(['', '1'], a)]);
  await scenario.run('look-owners', [control], []);
  if (b % 3 === 0) await scenario.run('forget-death', [control], [scenario.field(control, 'suspects') ?? '1']);
  if (c % 3 === 0) await scenario.run('release', [control], ['g', member, pick(['1', '2', '7'], b), pick(['1', ''], a)]);
};

/** Mostly by the owner, under its epoch. */
const ownerOf = (scenario: Scenario, draw: number): string => {
  const { control } = scenario.group;
  return pick([`${scenario.field(control, 'owner') ?? 'm1'} ${scenario.field(control, 'epoch') ?? '1'}`, 'm2 1'], draw % 4 === 0 ? 1 : 0);
};

const fetch: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const { control, again } = scenario.group;
  const [member, epoch] = ownerOf(scenario, a).split(' ') as [string, string];
  const places = [pick(['>', '0-0', ''], b), pick(['>', '0-0', ''], c)];
  await scenario.run('fetch', [control, scenario.keys.log, again, scenario.keys.meta], ['g', OWNER, member, 0, epoch, a % 3, a, pick(['1', ''], b), 1 + (c % 4), ...places]);
  const name = pick([String(b % 60), '1-1'], c);
  const [by, stats] = [ownerOf(scenario, b), scenario.group.stats];
  await scenario.run('note', [control, stats], [by, `tried:${name}`, `2 0 - 0 ${a} 0`, pick(['1', ''], c), '']);
  await scenario.run('note', [control, stats, again], [by, `tried:${name}`, `2 0 - 0 ${b} 0`, pick(['1', ''], c), `entry ${pick(['1-1', '2-0'], a)}`]);
  await scenario.run('note', [control, stats, scenario.page(0)], [by, `tried:${b % 60}`, '3 0 - 0 0 0', pick(['1', ''], a), `bit ${b % 60}`]);
};

const aside: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const { control, parked, parkedText, parkedKeys, dead, stats } = scenario.group;
  const key = pick(['k', 'ü'], a);
  const name = `${key} ${String(b % 9).padStart(16, '0')}`;
  const parking = [ownerOf(scenario, a), key, name, 'text', ...pick([['0', `tried:${b % 9}`, `m1 ${c % 3}`], ['1']], c)];
  await scenario.run('park', [control, parked, parkedText, parkedKeys], parking);
  const released = [parkedKeys, control, parked, parkedText];
  if (c % 2 === 0) await scenario.run('release-key', released, ['g', key, pick(['retry', 'dead-letter'], b)]);
  const outcome = pick([['ack', 'handled', ''], ['dead', scenario.envelope(), '{}'], ['park', pick(['text', 'again'], a)]], b);
  const args = [ownerOf(scenario, c), key, pick(['', name], b), ...outcome];
  await scenario.run('settle-parked', [control, parked, parkedText, parkedKeys, dead, stats], args);
  if (a % 3 === 0) await scenario.run('note', [control, stats], [ownerOf(scenario, b), 'stopped', `${b % 9} {"kind":"dead-letter"}`, '', '', `m1 ${c % 3}`]);
  await scenario.run('go-on', [control], ['g', pick(['retry', 'dead-letter'], a)]);
};

const pause: Step = async (scenario, [a = 0, b = 0]) => {
  const { control, broken } = scenario.group;
  await scenario.twin.call('HSET', broken, 'member', '{}');
  if (a % 2 === 0) await scenario.twin.call('HSET', control, 'paused', 'pause', 'until', scenario.twin.now + 10_000);
  else await scenario.run('lift-pause', [control, broken], [pick(['', 'pause', 'other'], b)]);
};

const look: Step = async (scenario, [a = 0, b = 0]) => {
  const { log, meta, groups } = scenario.keys;
  const { stats, due, again, open, dead, parked, forward } = scenario.group;
  await scenario.run('inspect', [meta, groups, stats, due, log, again, open, dead, parked, forward], ['g', 'settled', 'handled', 'lost']);
  const from = pick(['-', `(${scenario.twin.now - (b % 20_000)}-0`], a);
  await scenario.run('read-entries', [log], [from, pick(['+', String(scenario.twin.now - 5_000)], b), 1 + (b % 40), pick([20, 100_000], a)]);
  const [place] = pick(scenario.entries(log).concat([['1-0', []]]), b);
  const own = [log, groups, scenario.page(0), open, parked];
  await scenario.run('look-delivery', own, ['g', place, b % 60, b % 60, pick(['', 'k 0000000000000001'], a)]);
  const back = [pick(['+', String(scenario.twin.now - 5_000)], a), from === '-' ? '(0-0' : from];
  await scenario.run('read-entries', [log], [...back, 1 + (b % 40), pick([20, 100_000], b), '1']);
  const [held, stream] = [pick(['log', 'again'], b), scenario.stream(pick(['log', 'again'], b))];
  const ids = scenario.held(stream).map(([id]) => id).concat(a % 3 === 0 ? ['1-1'] : []);
  const pages = ids.map((id) => scenario.page(Math.floor(spanOf(id)[0] / PAGE)));
  await scenario.run('look-held', [stream, scenario.group.control, ...pages], [held, PAGE, pick([20, 100_000], a), ...ids]);
  const kind = pick(['earliest', 'latest', 'time', 'offset'], a);
  await scenario.run('locate', [log, meta], [kind, kind === 'time' ? scenario.twin.now - (b % 20_000) : b % 60]);
};

const seek: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const { log, meta, groups } = scenario.keys;
  const { stats, control, open, due, again, body, begun } = scenario.group;
  const found = await scenario.run('locate', [log, meta], ['offset', a % 80]);
  if (!Array.isArray(found)) return;
  const [after, offset] = found as [string, number];
  const first = Math.floor(Math.max(0, offset - PER_ENTRY) / PAGE);
  const pages = Array.from({ length: 8 }, (_, index) => scenario.page(first + index));
  const keys = [log, meta, groups, stats, control, open, due, again, body, begun, ...pages];
  await scenario.run('seek', keys, ['g', after, offset, PAGE, first, pick(['0', '0', '1'], b), OWNER, ...pick([[], members, [...members, OWNER]], c)]);
};

const trim: Step = (scenario, [a = 0, b = 0, c = 0]) => {
  const { log, meta, groups } = scenario.keys;
  const names = (scenario.twin.peek('HKEYS', groups) ?? []) as string[];
  const [entry] = scenario.entries(log);
  const page = Math.floor((entry ? spanOf(entry[0])[0] : Number(scenario.field(meta, 'next') ?? 0)) / PAGE);
  const { stats, open, body } = scenario.group;
  const own = [stats, scenario.page(page), scenario.page(page + 1), open, body];
  const bounds = [pick([0, 30_000], a), pick([0, 20, 50], b), 0];
  const args = [PAGE, page, pick([0, 0, 60_000], a), 1, ...bounds, pick(['drop-oldest', 'drop-group', 'reject'], c), 20_000, ...names];
  return scenario.run('trim', [log, meta, groups, ...names.flatMap(() => own)], args);
};

const promote: Step = (scenario, [a = 0, b = 0]) => {
  const { delayed, log, meta } = scenario.keys;
  return scenario.run('promote-delayed', [delayed, log, meta], [1 + (a % 5), pick([0, 60], b), '0']);
};

const redrive: Step = (scenario, [a = 0, b = 0, c = 0]) => {
  const { log, meta } = scenario.keys;
  const { dead, again, stats, open, due, body, control } = scenario.group;
  const letters = scenario.entries(dead).slice(0, 1 + (a % 3)).map(([id]) => id).concat(a % 4 === 0 ? ['1-1'] : []);
  const rows = letters.flatMap((id, index) => {
    return [id, pick([b % 60, -1, index], c + index), scenario.twin.now - 1_000, scenario.envelope()];
  });
  const keys = [dead, again, stats, open, log, meta, due, body, control];
  return scenario.run('redrive', keys, [pick(['group', 'topic'], b), pick([0, 60], c), 'g', ...rows]);
};

const deadLetters: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const { dead, stats } = scenario.group;
  if (a % 2 === 0) {
    const ids = scenario.entries(dead).slice(b % 3, (b % 3) + 1).map(([id]) => id);
    await scenario.run('discard-dead-letters', [dead, stats], [...ids, '1-1']);
    return;
  }
  const bounds = [pick([30_000, 10 ** 9], b), pick([2, 100], c), 10 ** 12];
  await scenario.run('bound-dead-letters', [dead, stats], [...bounds, 10, pick(['0', '1'], c)]);
};

const hook: Step = async (scenario, [a = 0, b = 0, c = 0, d = 0]) => {
  const { dead, stats } = scenario.group;
  const member = pick(members, a);
  await scenario.run('read-unreported', [dead], ['hook', member, 1 + (b % 3)]);
  const [id, holder] = pick(scenario.held(dead, 'hook').concat([['1-1', 'm1']]), c);
  const kept = c % 3 === 0 ? [id] : [];
  const handOver = ['hook', holder, member, pick(['0', '1'], c), 1 + (b % 3), 1, ...kept];
  if (d % 2 === 0) await scenario.run('settle-unreported', [dead, stats], ['hook', holder, id, pick(['reported', 'failed'], c)]);
  else await scenario.run('hand-over-unreported', [dead], handOver);
};

const remove: Step = async (scenario, [a = 0, b = 0]) => {
  const { removed, log, groups, meta } = scenario.keys;
  const name = pick(['g', 'g', 'g', 'g', ''], a);
  const mode = pick(['look', 'look', 'look', 'look', 'idle', 'force'], b);
  const [number] = (await scenario.run('begin-removal', [removed, log], [name, mode, ...members])) as string[];
  if (number === '0') return;
  const { again, stats, open, due, body, begun, control, dead } = scenario.group;
  const own = [again, stats, open, due, body, begun, control, dead, scenario.page(0), scenario.page(1)];
  await scenario.run('remove', [removed, log, groups, ...own, ...(name === '' ? [meta] : [])], [name, number!, 3]);
};

const permits: Step = (scenario, [a = 0]) => scenario.run('take-permits', [scenario.rate], [10, 3_600_000, pick([1, 3, 20, -1], a)]);

const damage: Step = async (scenario, [a = 0, b = 0, c = 0]) => {
  const stream = scenario.stream(pick(['log', 'again'], a));
  const { twin } = scenario;
  const [id] = pick(scenario.entries(stream).concat([['1-1', []]]), b);
  const foreign = `${twin.now + (c % 3)}-${pick(['0', '15', '99999', '18446744073709551615'], c)}`;
  const damages = [
    () => twin.call('XDEL', stream, id),
    () => twin.call('XADD', scenario.keys.log, 'NOMKSTREAM', foreign, 'm', 'foreign'),
    () => twin.call('XGROUP', 'DESTROY', stream, 'g'),
    () => twin.call('HDEL', scenario.keys.meta, pick(['next', 'ms', 'first'], c)),
    () => twin.call('HDEL', scenario.group.stats, 'whole', 'settled'),
    () => twin.call('UNLINK', pick([scenario.keys.meta, scenario.group.open, scenario.group.due, scenario.keys.log], c)),
  ];
  // Most runs keep most of their data.
  if (a % 6 === 0) await pick(damages, b)();
  else await pick([damages[0]!, damages[1]!, damages[4]!], b)();
};

/** Past the partition of the scenario, but for its log: publishers are held to one partition there. */
const raise: Step = async (scenario, [a = 0, b = 0]) => {
  const { keys, group } = scenario;
  await scenario.run('raise-count', ['topics'], ['t', pick(['look', 'begin', 'finish'], a), 1, 2 + (b % 2)]);
  await scenario.run('raise-partition', [`${keys.meta}:raised`], [1, 2, pick(['0', '1'], a), pick(['0', '1'], b)]);
  await scenario.run('look-drained', [keys.meta, keys.log, group.open, group.parked], ['g', 2, '']);
  await scenario.run('recall', [...keys.ids], [WINDOW_MS, 'k', 'd']);
};

/** Half messages from their storing to their ends, with ids that meet. */
const half: Step = async (scenario, [a = 0, b = 0, c = 0, d = 0]) => {
  const { log, meta, halves, halvesDue, halvesAge, halfEnds, ids, delayed } = scenario.keys;
  const id = pick(['half-1', 'half-2', 'half-3'], a);
  const places = [halves, halvesDue, halvesAge];
  const terms = pick(['{"checkAfterMs":1000,"checks":3}', '{"checkAfterMs":1000,"checks":3,"key":"k","digest":"d"}'], b);
  const until = scenario.twin.now + pick([10_000, 10_000, -1], c);
  const past = pick([['-', '', 0], ['-', '', 0], [1, scenario.twin.now - 5, 1]], d);
  const prepared = [id, 1, until, 1_000, WINDOW_MS, pick([0, 60], d), '', ...past, terms, scenario.envelope()];
  await scenario.run('prepare-half', [meta, ...places, ...halfEnds], prepared);
  await scenario.run('take-halves', places, [1 + (b % 3), 5_000]);
  await scenario.run('put-off-half', [halves, halvesDue], [id, pick(['', 1, 2], c), d % 4, pick([1_000, ''], b)]);
  await scenario.run('count-halves', places, []);
  const keys = [log, meta, ...places, ...halfEnds, ...ids, delayed];
  if (d % 3 === 0) await scenario.run('end-half', [...places, ...halfEnds], [id, pick(['rolled-back', 'moved 1'], c), WINDOW_MS, pick(['', '1'], b)]);
  else if (d % 3 === 1) await scenario.run('commit-half', keys, [id, pick([1, ''], b), WINDOW_MS, WINDOW_MS, '', pick(['', '1'], c)]);
  await scenario.run('look-after-halves', ['index'], pick([['promise', 0, 1_000], ['take', 5_000], ['done', 0, pick(['1', '2'], c), pick([-1, 500], d)]], a + b));
};

const forwards: Step = async (scenario, [a = 0, b = 0]) => {
  const { control, forward } = scenario.group;
  await scenario.run('claim-lane', [control], [pick(members, a), ...(b % 2 === 0 ? members : [])]);
  await scenario.run('read-forwards', [control, forward], []);
};

const time: Step = (scenario, [a = 0]) => {
  return scenario.twin.setTime(scenario.twin.now + pick([1, 1, 1, 10, 10, 6_000, 6_000, 100_000, WINDOW_MS, -5], a));
};
const full: Step = (scenario, [a = 0]) => scenario.twin.fill(a % 4 === 0);

const steps: Readonly<Record<string, Step>> = {
  publish, read, settle, close, claim, declare, declareHook, begin, putBack, tend, audit, membership, own, fetch, aside, pause,
  look, seek, trim, promote, redrive, deadLetters, hook, remove, permits, damage, raise, half, forwards, time, full,
};
/** How often a step stands where that is not once. */
const SHARES: Readonly<Record<string, number>> = {
  publish: 4, read: 3, fetch: 2, settle: 6, declare: 2, declareHook: 2, tend: 2, time: 2,
};

/** Common steps stand more often. */
export const STEPS: readonly (readonly [string, Step])[] = Object.entries(steps).flatMap((step) => {
  return Array.from({ length: SHARES[step[0]] ?? 1 }, () => step);
});
