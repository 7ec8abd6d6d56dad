import { type Command, loadScript, type Outcome, type RedisConnection, refusedWhenFull } from '@millrace/redis';
import { spanOfId } from '../../src/log/entry-id.js';
import type { Final } from './run.js';

/** Messages of one partition, with offsets that follow each other, that Redis settled for this process. */
export interface Settled {
  readonly partition: number;
  readonly first: number;
  readonly count: number;
  readonly as: Final;
  /** The epoch under which the process owned the partition; null in shared mode. */
  readonly epoch: number | null;
}

/** Arguments of `settle.lua` before the number of whole entries, and of each run behind their ids. */
const HEAD = 7;
const FIELDS = 9;
const PARTITION = /\{[^{}]*:(\d+)\}/;
/** An owner names itself, behind the consumer of all owners, and its epoch; a member of a shared group is one word. */
const OWNER = /^\S+ \S+ (\d+)/;

const settle = loadScript('../../src/scripts/settle.lua', import.meta.url);
const SOURCES: readonly unknown[] = [settle.source, refusedWhenFull(settle).source];

/** Tells of each settlement that Redis confirms on a connection, before the engine hears of it. */
export function watchSettlements(connection: RedisConnection, tell: (settled: Settled) => void): void {
  const run = connection.run.bind(connection);
  connection.run = async (script, keys, args) => {
    const reply = await run(script, keys, args);
    if (script.name === settle.name) settledBy(keys, args.map(String), String(reply)).forEach(tell);
    return reply;
  };
  const callBoth = connection.callBoth.bind(connection);
  connection.callBoth = async (first, second) => {
    const outcomes = await callBoth(first, second);
    if (isConfirmed(second, outcomes[1])) settledIn(first, outcomes[0]).forEach(tell);
    return outcomes;
  };
}

/** Whether as many replicas have the write as were asked for: any one of them may be the next primary. */
function isConfirmed([, asked]: Command, waited: Outcome): boolean {
  return waited.status === 'fulfilled' && Number(waited.value) >= Number(asked);
}

function settledIn([, source, count, ...rest]: Command, outcome: Outcome): Settled[] {
  if (!SOURCES.includes(source) || outcome.status === 'rejected') return [];
  const [keys, args] = [rest.slice(0, Number(count)), rest.slice(Number(count))];
  return settledBy(keys.map(String), args.map(String), String(outcome.value));
}

/** The settlements that one call asked for and the reply grants, one letter for each: S and D say that it is settled. */
function settledBy([stream]: readonly string[], args: readonly string[], reply: string): Settled[] {
  const epoch = OWNER.exec(args[1]!)?.[1];
  const common = { partition: Number(PARTITION.exec(stream!)![1]), epoch: epoch === undefined ? null : Number(epoch) };
  const whole = Number(args[HEAD]);
  const ids = args.slice(HEAD + 1, HEAD + 1 + whole);
  const entries = ids.map((id): Settled => {
    const { base, size } = spanOfId(id)!;
    return { ...common, first: base, count: size, as: 'ack' };
  });
  const runs = runsIn(args.slice(HEAD + 1 + whole)).map((run) => ({ ...run, ...common }));
  return [...entries, ...runs].filter((_, index) => reply[index] !== 'F');
}

function runsIn(args: readonly string[]): Pick<Settled, 'first' | 'count' | 'as'>[] {
  return Array.from({ length: args.length / FIELDS }, (_, index) => {
    const [, , , first, count, outcome] = args.slice(index * FIELDS);
    return { first: Number(first), count: Number(count), as: outcome === 'ack' || outcome === 'dead' ? outcome : null };
  });
}
