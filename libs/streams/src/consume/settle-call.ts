import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { chunksOf } from '../log/pages.js';
import type { Forwarded } from '../forward/forward-text.js';
import type { GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { HeldEntry } from './held-entry.js';
import { adds, HANDLED } from './settlement.js';
import type { Item } from './settling.js';

/** A message that forwards something: its name in the call, and what. */
export interface ForwardedItem {
  readonly name: string;
  readonly forwarded: Forwarded;
}

/** One call of `settle.lua`. */
export interface SettleCall {
  /** Pages of the settled bitmap that it needs. */
  readonly pages: readonly number[];
  /** From the number of whole entries on. */
  readonly args: readonly (string | number)[];
  /** Names of the messages among them of which Redis has a record of their attempts. */
  readonly noted: readonly string[];
  /** Whether it stores more than it removes: a full Redis refuses it. */
  readonly adds: boolean;
  /** All that its messages forward, in the order in which the script adds it. */
  readonly forwards: readonly ForwardedItem[];
  /** The items that each letter of the reply is for, in its order. */
  readonly parts: readonly (readonly Item[])[];
}

/** Messages that one call settles. Handled messages of the log go by runs; each of the others takes ten times as long. */
export const MOST_TOGETHER = 1_024;
const MOST_SINGLY = 64;
/** Text that the messages of one call forward. */
const MOST_FORWARDED_BYTES = 1024 * 1024;

/**
 * Splits the messages of one stream into calls that are short enough for Redis to serve others in between. Messages of one call
 * are held under one epoch.
 */
export function batchesOf(items: readonly Item[]): (readonly Item[])[] {
  const epoch = epochOf(items[0]);
  const others = items.filter((item) => epochOf(item) !== epoch);
  if (others.length === 0) return shortBatchesOf(items);
  return [...shortBatchesOf(items.filter((item) => epochOf(item) === epoch)), ...batchesOf(others)];
}

/** The epoch under which a message is held; null in shared mode. */
export function epochOf(item: Item | undefined): number | null {
  return item?.delivery.entry.ownerEpoch ?? null;
}

function shortBatchesOf(items: readonly Item[]): (readonly Item[])[] {
  const isQuick = ({ delivery, settlement }: Item): boolean => settlement === HANDLED && delivery.entry.stream.kind === 'log';
  const others = items.filter((item) => !isQuick(item));
  if (others.length <= MOST_SINGLY && items.length <= MOST_TOGETHER) return withinBytes(items);
  return [...chunksOf(items.filter(isQuick), MOST_TOGETHER), ...chunksOf(others, MOST_SINGLY)].flatMap(withinBytes);
}

function withinBytes(items: readonly Item[]): (readonly Item[])[] {
  const bytes = items.reduce((sum, { delivery }) => sum + (delivery.forwarded?.text.length ?? 0), 0);
  if (bytes <= MOST_FORWARDED_BYTES || items.length === 1) return [items];
  return chunksOf(items, Math.ceil(items.length / 2)).flatMap(withinBytes);
}

/** Whether the settlement of a message stores something beside it. */
export function addsSomething({ settlement, delivery }: Item): boolean {
  return adds(settlement) || delivery.forwarded !== null;
}

/** The keys of a call that come before the pages of the bitmap. */
export function settleKeysOf({ key, partition }: GroupStream): string[] {
  const { stats, due, dead, again, open, begun, body, control } = partition.groupKeys;
  return [key, stats, due, dead, again, open, begun, partition.keys.log, body, control];
}

/** Puts one call together for one stream. An entry whose messages are all handled is settled by its id alone. */
export function settleCallOf(items: readonly Item[], held: HeldEntries): SettleCall {
  const plain = new Map<HeldEntry, Item[]>();
  const others: Item[] = [];
  for (const item of items) {
    const { entry } = item.delivery;
    if (item.settlement !== HANDLED || !mayGoTogether(entry, held)) others.push(item);
    else if (plain.has(entry)) plain.get(entry)!.push(item);
    else plain.set(entry, [item]);
  }
  const entries = [...plain].sort(([one], [other]) => one.base - other.base);
  const whole = entries.filter(([entry, own]) => own.length === entry.size);
  const partly = entries.filter(([entry, own]) => own.length < entry.size).flatMap(([, own]) => runsOf(own));
  const runs = [...partly, ...others.map((item) => [item])];
  const parts = [...whole.map(([, own]) => own), ...runs];
  const forwards = items.some(({ delivery }) => delivery.forwarded !== null) ? forwardsOf(parts) : NO_FORWARDS;
  return {
    pages: pagesOf(items),
    args: [
      whole.length, ...whole.map(([entry]) => entry.id), ...runs.flatMap((run) => argumentsOf(run, held)),
      ...forwards.flatMap(argumentsOfForward),
    ],
    noted: items.filter(({ delivery }) => delivery.isNoted).map(({ delivery }) => delivery.name),
    adds: items.some(addsSomething),
    forwards,
    parts,
  };
}

const NO_FORWARDS: readonly ForwardedItem[] = [];

/** The script goes by the offsets of each part. */
function forwardsOf(parts: readonly (readonly Item[])[]): ForwardedItem[] {
  const byOffset = (one: Item, other: Item): number => one.delivery.offset - other.delivery.offset;
  return parts.flatMap((part) => part.toSorted(byOffset).flatMap(forwardedItem));
}

function forwardedItem({ delivery: { forwarded, name } }: Item): ForwardedItem[] {
  return forwarded === null ? [] : [{ name, forwarded }];
}

function argumentsOfForward({ name, forwarded: { sendables, text } }: ForwardedItem): (string | number)[] {
  return [name, sendables.length, text];
}

/** Messages of a stale entry are settled one by one, each by its own id. An entry of `again` has one message. */
function mayGoTogether(entry: HeldEntry, held: HeldEntries): boolean {
  return entry.stream.kind === 'log' && entry.base >= 0 && !held.isStale(entry);
}

/** Messages of one entry with offsets that follow each other. */
function runsOf(items: readonly Item[]): Item[][] {
  const runs: Item[][] = [];
  for (const item of items.toSorted((one, other) => one.delivery.offset - other.delivery.offset)) {
    const last = runs.at(-1);
    if (last && last.at(-1)!.delivery.offset + 1 === item.delivery.offset) last.push(item);
    else runs.push([item]);
  }
  return runs;
}

function argumentsOf(run: readonly Item[], held: HeldEntries): (string | number)[] {
  const [{ delivery, settlement }] = run as [Item];
  const { entry, offset } = delivery;
  const expectedMessageId = held.isStale(entry) ? expectedMessageIdOf(run) : '';
  return [entry.id, entry.base, entry.size, offset, run.length, ...settlement, expectedMessageId];
}

/**
 * The id that the entry must still hold. A message that cannot be read is recognized by its whole text; an entry that holds that
 * text in another form refuses it, so that the message is read and settled anew.
 */
function expectedMessageIdOf([item]: readonly Item[]): string {
  const { message, envelope, fault } = item!.delivery;
  return fault ? envelope : message.id;
}

function pagesOf(items: readonly Item[]): number[] {
  return [...new Set(items.map(({ delivery }) => Math.floor(Math.max(0, delivery.offset) / SETTLED_PAGE_OFFSETS)))];
}
