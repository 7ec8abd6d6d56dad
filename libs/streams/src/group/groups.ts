import { setTimeout as wait } from 'node:timers/promises';
import { durationMs, MillraceError, parseOptions, type Position, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { type BrokenMember, BrokenMembers } from '../break/broken-members.js';
import { type GroupPartition, groupPartition } from '../consume/group-partition.js';
import { assertGroup } from '../log/known-group.js';
import { assertPartition } from '../log/known-partition.js';
import { partitionsOf } from '../log/topic-log.js';
import { type GroupRemoval, type RemovalParts, removeGroup } from '../remove/group-removal.js';
import type { RemoveOptions } from '../remove/remove-options.js';
import { PauseOptions, SeekOptions } from './group-options.js';
import { Members } from './members.js';
import { type GroupMember, readMembers } from './group-members.js';
import { Pause, type PauseState } from './pause.js';
import { seekPartition, type SeekResult, type SeekStep } from './seek.js';

const TRY_EVERY_MS = 100;
/** The pause of a seek whose process vanishes ends by itself so long after its wait. */
const GRACE_MS = 10_000;

export interface PauseResult {
  /** Members that still held messages when the time was up. They start nothing new once they see the pause. */
  readonly busy: readonly string[];
}

/** For operators: pauses groups, resumes them, sets them to another position, and removes them. */
export class Groups {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /**
   * Pauses the whole group until {@link resume}, across restarts: each member sees it within half a second, lets its handlers
   * finish, and starts nothing. Resolves when no member holds a message any more, or when the time to wait is up.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async pause(topic: TopicRef, group: string, options: PauseOptions = {}): Promise<PauseResult> {
    const { within, by }: PauseOptions = parseOptions(PauseOptions, options, 'pause()');
    return this.#watching(async (members) => {
      const pause = await this.#pauseOf(topicOfRef(topic), group, members);
      return { busy: await pause.quiet(await pause.begin({ by }), durationMs(within)) };
    });
  }

  /**
   * Ends the pause of the group, and those of members whose handlers failed on nearly every message.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async resume(topic: TopicRef, group: string): Promise<void> {
    await (await this.#pauseOf(topicOfRef(topic), group)).lift();
  }

  /**
   * Members that are paused because their handlers failed on nearly every message (see `breaker` of `@Subscribe`).
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async broken(topic: TopicRef, group: string): Promise<BrokenMember[]> {
    const place = await this.#firstOf(topicOfRef(topic), group);
    const key = place.groupKeys.broken;
    const all = await new BrokenMembers(this.#parts.redis.controlFor(key), key).all();
    if (all.length === 0) return [];
    return this.#watching(async (members) => {
      const living = new Set(await members.living(place));
      return all.filter(({ member }) => living.has(member));
    });
  }

  /** @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP */
  async isPaused(topic: TopicRef, group: string): Promise<boolean> {
    return (await this.pauseOf(topic, group)) !== null;
  }

  /**
   * The pause in force; null when there is none. That of a seek under way is one, too.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async pauseOf(topic: TopicRef, group: string): Promise<PauseState | null> {
    return (await this.#pauseOf(topicOfRef(topic), group)).inForce();
  }

  /**
   * The members of a group as Redis knows them, by their names: those of processes that vanished stay until what they held was
   * put back.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async members(topic: TopicRef, group: string): Promise<GroupMember[]> {
    const definition = this.#parts.counts.topicOf(topicOfRef(topic));
    await assertGroup(this.#parts.redis, this.#parts.prefix, { topic: definition, group });
    return readMembers(this.#parts, this.#partitionsOf(definition, group));
  }

  /**
   * Sets the group, or one partition of it, to a position. It handles all messages from there on, also those that it has handled
   * before (`ctx.replayed`), and skips messages before the position that it was never given. Messages before the position that
   * wait for another attempt stay. The group is paused meanwhile.
   *
   * @returns the step that was made in each partition, or with `preview: true` would be made
   * @throws MillraceError GROUP_BUSY members held messages all the time: partitions that are not in `steps` were not touched;
   *   NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async seek(topic: TopicRef, group: string, options: SeekOptions): Promise<SeekStep[]> {
    const { to: position, partition, preview, within, force } = parseOptions(SeekOptions, options, 'seek()');
    const definition = this.#parts.counts.topicOf(topicOfRef(topic));
    assertPartition(definition, partition, 'seek()');
    const all = this.#partitionsOf(definition, group);
    const targets = partition === undefined ? all : [all[partition]!];
    return this.#watching(async (members) => {
      const pause = await this.#pauseOf(definition, group, members);
      const wish = { position, force, members, withinMs: durationMs(within) };
      if (preview) return this.#preview(targets, wish);
      const seekAll = (): Promise<SeekStep[]> => this.#seekAll(targets, wish);
      return (await pause.inForce()) ? seekAll() : this.#whilePaused(pause, wish.withinMs, seekAll);
    });
  }

  /**
   * Removes a group, with its waiting messages and its dead letters; the messages of the topic stay. A member that still runs has
   * REMOVED as its problem, until a process that starts subscribes the group again: it begins anew then. A removal that was
   * broken off goes on when it is called again.
   *
   * @returns the counts of all that was removed, or with `preview: true` would be removed
   * @throws MillraceError GROUP_BUSY members lived all the time: nothing was removed; NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async remove(topic: TopicRef, group: string, options: RemoveOptions = {}): Promise<GroupRemoval> {
    return removeGroup(this.#parts, { topic: this.#parts.counts.topicOf(topicOfRef(topic)), group }, options);
  }

  /** Watches the members while the work is done, to learn which of them live. */
  async #watching<T>(work: (members: Members) => Promise<T>): Promise<T> {
    const members = this.#newMembers();
    members.watch();
    try {
      return await work(members);
    } finally {
      members.unwatch();
    }
  }

  /** A pause that an operator begins meanwhile stays. */
  async #whilePaused<T>(pause: Pause, withinMs: number, work: () => Promise<T>): Promise<T> {
    const own = await pause.begin({ forMs: withinMs + GRACE_MS });
    try {
      await pause.quiet(own, withinMs);
      return await work();
    } finally {
      await pause.lift(own);
    }
  }

  #preview(targets: readonly GroupPartition[], { position, members }: Wish): Promise<SeekStep[]> {
    const tools = { ...this.#parts, members };
    return Promise.all(targets.map(async (target) => stepOf(await seekPartition(tools, target, { position, preview: true }))));
  }

  async #seekAll(targets: readonly GroupPartition[], { position, force, members, withinMs }: Wish): Promise<SeekStep[]> {
    const tools = { ...this.#parts, members };
    const until = performance.now() + withinMs;
    const steps: SeekStep[] = [];
    for (const target of targets) {
      const seek = { position, force, preview: false };
      let result = await seekPartition(tools, target, seek);
      while (result.held > 0 && performance.now() < until) {
        await wait(TRY_EVERY_MS);
        result = await seekPartition(tools, target, seek);
      }
      if (result.held > 0) throw busy(target, result.held, steps);
      steps.push(stepOf(result));
    }
    return steps;
  }

  async #pauseOf(topic: TopicDefinition, group: string, members = this.#newMembers()): Promise<Pause> {
    const first = await this.#firstOf(topic, group);
    return new Pause(this.#parts.redis.controlFor(first.keys.log), members, first);
  }

  async #firstOf(topic: TopicDefinition, group: string): Promise<GroupPartition> {
    await assertGroup(this.#parts.redis, this.#parts.prefix, { topic, group });
    return this.#partitionsOf(topic, group)[0]!;
  }

  #newMembers(): Members {
    return new Members(this.#parts.redis, this.#parts.presence);
  }

  #partitionsOf(topic: TopicDefinition, group: string): GroupPartition[] {
    return partitionsOf(topic).map((partition) => groupPartition(this.#parts.prefix, { topic: topic.name, partition }, group));
  }
}

interface Wish {
  readonly position: Position;
  readonly force: boolean;
  readonly members: Members;
  readonly withinMs: number;
}

function stepOf({ held: _, ...step }: SeekResult): SeekStep {
  return step;
}

function busy({ topic, partition, group }: GroupPartition, held: number, steps: readonly SeekStep[]): MillraceError {
  const done = steps.length === 0 ? 'Nothing was changed.' : `Only these partitions were set: ${steps.map((step) => step.partition).join(', ')}.`;
  return new MillraceError(
    'GROUP_BUSY',
    `Members of group '${group}' hold ${held} messages of partition ${partition} of '${topic}' and do not finish. ${done} Wait longer, or stop them.`,
    { retryable: true },
  );
}
