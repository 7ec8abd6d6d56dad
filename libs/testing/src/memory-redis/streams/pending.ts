import { type Commands, type Context, reads, writes } from '../command.js';
import { integerIn, parseInteger } from '../numbers.js';
import { RedisError, type Reply, syntaxError } from '../reply.js';
import { shownEntry } from './entries.js';
import { type EntryId, idIn, parseId, parseRange, textOfId } from './entry-id.js';
import type { Consumer, Group, Pending } from './group.js';
import { noKeyOrGroup, type Stream, streamAt } from './stream.js';

function groupAt(context: Context, key: string, name: string): [Stream, Group] {
  const stream = streamAt(context, key);
  const group = stream?.groups.get(name);
  if (!stream || !group) throw noKeyOrGroup(key, name);
  return [stream, group];
}

function acknowledge(context: Context, [key, name, ...texts]: string[]): Reply {
  const group = streamAt(context, key!)?.groups.get(name!);
  if (!group) return 0;
  let count = 0;
  for (const id of texts.map(parseId)) {
    const pending = group.pending.find(id);
    if (!pending) continue;
    group.release(pending);
    count += 1;
  }
  return count;
}

function pending(context: Context, [key, name, ...rest]: string[]): Reply {
  if (rest.length === 0) return summary(groupAt(context, key!, name!)[1]);
  let leastIdle = 0;
  if (rest[0]!.toUpperCase() === 'IDLE') {
    leastIdle = parseInteger(rest[1] ?? '');
    rest.splice(0, 2);
  }
  const [start, end, count, consumer, ...more] = rest;
  if (count === undefined || more.length > 0) throw syntaxError();
  const most = Math.max(0, parseInteger(count));
  const ids = parseRange(start!, end!);
  const [, group] = groupAt(context, key!, name!);
  const held = consumer === undefined ? group.pending : group.consumer(consumer)?.pending;
  const now = context.nowMs();
  const inRange = held?.range(ids, leastIdle > 0 ? undefined : most) ?? [];
  const found = inRange.filter(({ deliveredAt }) => isIdle(deliveredAt, now, leastIdle)).slice(0, most);
  return found.map(({ id, consumer: holder, deliveredAt, deliveries }) => {
    return [textOfId(id), holder.name, Math.max(0, now - deliveredAt), deliveries];
  });
}

/** Without a least time each entry counts, also one that was delivered later than now, before the clock was set back. */
function isIdle(deliveredAt: number, now: number, leastMs: number): boolean {
  return leastMs === 0 || now - deliveredAt >= leastMs;
}

function summary(group: Group): Reply {
  const { first, last, size } = group.pending;
  if (!first || !last) return [0, null, null, null];
  const holders = group.consumers().filter((consumer) => consumer.pending.size > 0);
  return [size, textOfId(first.id), textOfId(last.id), holders.map((holder) => [holder.name, String(holder.pending.size)])];
}

interface ClaimOptions {
  deliveredAt: number;
  deliveries: number | null;
  isForced: boolean;
  isIdOnly: boolean;
  lastId: EntryId | null;
}

/** Ids come before the options: the first argument that is no id begins these. */
function idsIn(args: string[]): EntryId[] {
  const ids = args.map((arg) => idIn(arg));
  const end = ids.indexOf(null);
  const found = ids.slice(0, end < 0 ? undefined : end) as EntryId[];
  args.splice(0, found.length);
  return found;
}

function claimOptions(args: readonly string[], now: number): ClaimOptions {
  const options: ClaimOptions = { deliveredAt: now, deliveries: null, isForced: false, isIdOnly: false, lastId: null };
  for (let i = 0; i < args.length; i += 1) {
    const [name, value] = [args[i]!.toUpperCase(), args[i + 1]];
    if (name === 'FORCE') options.isForced = true;
    else if (name === 'JUSTID') options.isIdOnly = true;
    else {
      setValue(options, { name, value, now, text: args[i]! });
      i += 1;
    }
  }
  return options;
}

interface GivenOption {
  readonly name: string;
  readonly value: string | undefined;
  readonly now: number;
  /** Its name as it was written. */
  readonly text: string;
}

function setValue(options: ClaimOptions, { name, value, now, text }: GivenOption): void {
  if (value === undefined || !['IDLE', 'TIME', 'RETRYCOUNT', 'LASTID'].includes(name)) {
    throw new RedisError(`ERR Unrecognized XCLAIM option '${text}'`);
  }
  if (name === 'LASTID') options.lastId = parseId(value);
  else if (name === 'RETRYCOUNT') options.deliveries = numberFor(value, 'Invalid RETRYCOUNT option argument for XCLAIM');
  else if (name === 'IDLE') options.deliveredAt = Math.min(now, now - numberFor(value, 'Invalid IDLE option argument for XCLAIM'));
  else options.deliveredAt = Math.min(now, numberFor(value, 'Invalid TIME option argument for XCLAIM'));
}

function numberFor(text: string, message: string): number {
  const value = integerIn(text);
  if (value === null) throw new RedisError(`ERR ${message}`);
  return value;
}

function claim(context: Context, [key, name, consumer, idle, ...rest]: string[]): Reply {
  const [stream, group] = groupAt(context, key!, name!);
  const leastIdle = Math.max(0, numberFor(idle!, 'Invalid min-idle-time argument for XCLAIM'));
  const [ids, now] = [idsIn(rest), context.nowMs()];
  const options = claimOptions(rest, now);
  if (options.lastId !== null && options.lastId > group.lastId) group.lastId = options.lastId;
  const replies: Reply[] = [];
  let heir: Consumer | null = null;
  for (const id of ids) {
    const item = claimable({ stream, group, id }, options, (deliveredAt) => isIdle(deliveredAt, now, leastIdle));
    if (item === null) continue;
    heir ??= group.seen(consumer!, now);
    if (item === undefined) group.give(id, heir, now);
    const taken = item ?? group.pending.find(id)!;
    group.move(taken, heir);
    taken.deliveredAt = options.deliveredAt;
    taken.deliveries = options.deliveries ?? taken.deliveries + (options.isIdOnly ? 0 : 1);
    replies.push(options.isIdOnly ? textOfId(id) : shownEntry(stream.entries.find(id)!));
  }
  return replies;
}

type Place = Readonly<{ stream: Stream; group: Group; id: EntryId }>;
type IsOld = (deliveredAt: number) => boolean;

/** The pending entry that may be claimed; undefined where one is to be made, null where nothing is claimed. */
function claimable({ stream, group, id }: Place, { isForced }: ClaimOptions, isOld: IsOld): Pending | null | undefined {
  const item = group.pending.find(id);
  if (!stream.entries.find(id)) {
    if (item) group.release(item);
    return null;
  }
  if (!item) return isForced ? undefined : null;
  return isOld(item.deliveredAt) ? item : null;
}

export const pendingCommands: Commands = {
  XACK: writes(-4, acknowledge),
  XPENDING: reads(-3, pending),
  XCLAIM: writes(-6, claim),
};
