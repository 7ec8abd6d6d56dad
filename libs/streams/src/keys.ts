/**
 * Every key of a partition carries the hash tag `{topic:partition}`, so that a script may touch all of them in a Redis
 * Cluster. Names hold no `:`, `{` or `}`; no key is put together anywhere else.
 */
export interface PartitionKeys {
  /** Stream of entries; an entry's id holds the offsets of its messages. */
  readonly log: string;
  /**
   * Hash: `format` (of the log), `generation`, `next` (the next offset), `ms` (that of the last entry's id), `delayed` (how many
   * were delayed so far), `partitions` (the number that publishers are held to), after a raise `end:<to>` (the next offset at it)
   * and `gates` (what ordered groups hold back); `fetches` (those that owners have left open); of a topic with retention also
   * `first` (the lowest offset that is retained), `trimmed` (when, in Unix milliseconds), `full` (its memory is used up).
   */
  readonly meta: string;
  /** Hash: group -> the offset at which it started. */
  readonly groups: string;
  /**
   * Hash: removed group -> the number of its removal, with a minus sign once the group was declared anew; the field '' is the
   * topic itself.
   */
  readonly removed: string;
  /** Two hashes of idempotency keys, stored here or claimed for other partitions; current and previous window alternate. */
  readonly ids: readonly [string, string];
  /** Sorted set: delayed message -> when it is due, in Unix milliseconds. */
  readonly delayed: string;
  /** Hash: half message, which no group sees -> how often it was checked, its terms, its text; see include/half-messages.lua. */
  readonly halves: string;
  /** Sorted set: half message -> when it is to be checked, in Unix milliseconds; infinite when it is checked no more. */
  readonly halvesDue: string;
  /** Sorted set: half message -> when it was stored, in Unix milliseconds. */
  readonly halvesAge: string;
  /** Two hashes: half message that has ended -> how; current and previous window alternate. */
  readonly halfEnds: readonly [string, string];
  /** Channel, no key: scripts ring in it when there are entries to read, `include/ring.lua`. */
  readonly ring: string;
  /** Hash: the last batches of each producer, and the replies to them; see include/producers.lua. */
  readonly producers: string;
}

export interface GroupKeys {
  /** Stream of messages that are due for another attempt, or were put back. */
  readonly again: string;
  /** Sorted set: message waiting for another attempt, its offset in 16 digits -> when it is due, in Unix milliseconds. */
  readonly due: string;
  /** Hash: offset -> text of a message that waits and is no longer in the log. */
  readonly body: string;
  /** Stream of dead letters. */
  readonly dead: string;
  /** Hash of counters. */
  readonly stats: string;
  /** Hash: entry of `again` -> mark that its member has begun to handle it; only for messages that crashed before. */
  readonly begun: string;
  /** Sorted set of messages that left the log for another attempt and are not done: record of the message -> offset. */
  readonly open: string;
  /**
   * Hash: the group's pause, the replays that its seeks have begun; in ordered mode its order, who owns the partition, the
   * attempts of messages that stay with it, and the message at which it stopped; the lanes of the forward log.
   */
  readonly control: string;
  /** Sorted set of messages that wait for an operator: key in the form of URIs, a space, offset in 16 digits; scores are 0. */
  readonly parked: string;
  /** Hash: message that waits for an operator -> its text, how it was given up, and when. */
  readonly parkedText: string;
  /** Hash: key with such messages, in the same form -> `parked`, or `released` when they are to be handled. */
  readonly parkedKeys: string;
  /** Hash: lane, generation, first number and how many -> messages and jobs of settled messages, until they are sent. */
  readonly forward: string;
  /** Hash: member whose breaker is open -> since when and why, JSON; in the first partition, for the whole group. */
  readonly broken: string;
}

/** Offsets in one page of a group's settled bitmap: 8 KiB. An entry never crosses from one page into the next. */
export const SETTLED_PAGE_OFFSETS = 65_536;

/** Hash: topic -> how many partitions it has, and had (`log/stored-count.ts`); of all topics of the prefix. */
export function topicsKey(prefix: string): string {
  return `${prefix}:topics`;
}

export function partitionKeys(prefix: string, topic: string, partition: number): PartitionKeys {
  const base = partitionBase(prefix, topic, partition);
  return {
    log: `${base}:log`,
    meta: `${base}:meta`,
    groups: `${base}:groups`,
    removed: `${base}:removed`,
    ids: [`${base}:ids:0`, `${base}:ids:1`],
    delayed: `${base}:delayed`,
    ring: `${base}:ring`,
    producers: `${base}:producers`,
    halves: `${base}:halves`,
    halvesDue: `${base}:halvesDue`,
    halvesAge: `${base}:halvesAge`,
    halfEnds: [`${base}:halfEnds:0`, `${base}:halfEnds:1`],
  };
}

export function groupKeys(prefix: string, place: { topic: string; partition: number }, group: string): GroupKeys {
  const base = groupBase(prefix, place, group);
  return {
    again: `${base}:again`,
    due: `${base}:due`,
    body: `${base}:body`,
    dead: `${base}:dead`,
    stats: `${base}:stats`,
    begun: `${base}:begun`,
    open: `${base}:open`,
    control: `${base}:control`,
    parked: `${base}:parked`,
    parkedText: `${base}:parkedText`,
    parkedKeys: `${base}:parkedKeys`,
    forward: `${base}:forward`,
    broken: `${base}:broken`,
  };
}

/** Bitmap: the offsets of this page that the group is done with in the log. */
export function settledKey(prefix: string, place: { topic: string; partition: number; group: string }, offset: number): string {
  return `${groupBase(prefix, place, place.group)}:settled:${Math.floor(offset / SETTLED_PAGE_OFFSETS)}`;
}

/** String, the record of a process: a counter that it raises, its members that stop, those that left. All in one slot. */
export function presenceKey(prefix: string, process: string): string {
  return `${prefix}:{presence}:${process}`;
}

/** Hash: partition -> when to look after its half messages; see `scripts/look-after-halves.lua`. One for all partitions. */
export function halfIndexKey(prefix: string, topic: string): string {
  return `${prefix}:{${topic}:halves}:index`;
}

/** String: when all permits of the group's rate limit are free again, in Unix milliseconds; one for all partitions. */
export function rateKey(prefix: string, topic: string, group: string): string {
  return `${prefix}:{${topic}:group:${group}}:rate`;
}

function partitionBase(prefix: string, topic: string, partition: number): string {
  return `${prefix}:{${topic}:${partition}}`;
}

function groupBase(prefix: string, place: { topic: string; partition: number }, group: string): string {
  return `${partitionBase(prefix, place.topic, place.partition)}:group:${group}`;
}
