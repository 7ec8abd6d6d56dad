import { type Delivery, errorRecord, type Outcome, type OutgoingMessage } from '@millrace/core';
import { createStreams, type Streams } from '@millrace/streams';
import { type Actor, MemoryTopology, type Packet, type PacketFate } from '@millrace/testing';
import { setTimeout as wait } from 'node:timers/promises';
import type { Fault } from './faults.js';
import { CRASH_LIMIT, type PlannedMessage } from './plan.js';
import { GROUP, PREFIX, type World } from './world.js';

const ATTEMPTS = 3;
const RETRY_MS = 15;
const AGAIN_MS = 200;
/** Packets of usual slowness arrive before. */
const LATE_MS = 300;
const PUBLISH_DEADLINE_MS = 3_000;
const LOOK_EVERY_MS = 50;
const MOST_LOOKS = 20;
/** So long it may take a process that was away until it knows what it has lost. */
const BACK_MS = 1_000;

/** One process of a user, with an engine and connections of its own. */
export class SimulatedProcess {
  readonly name: string;
  readonly actor: Actor;
  /** Publishes that have neither resolved nor failed. */
  openPublishes = 0;
  readonly #world: World;
  readonly #ended: () => void;
  #isDisturbed = false;
  /** When it was last frozen or cut off, in virtual milliseconds. */
  #awayAtMs = Number.NEGATIVE_INFINITY;
  #topology: MemoryTopology | null = null;
  #streams: Streams | null = null;
  #cut: PacketFate | null = null;

  /** @param ended called when it has died, or has stopped */
  constructor(world: World, name: string, ended: () => void) {
    this.#world = world;
    this.#ended = ended;
    this.name = name;
    this.actor = world.time.actor(name);
  }

  /** @param subscribes whether it is a member of the group */
  start(subscribes: boolean): void {
    this.#world.time.after(0, () => {
      const { time, plan } = this.#world;
      const network = {
        fate: (packet: Packet) => this.#fate(packet),
        atServer: (ms: number, work: () => void) => time.after(ms, work, this.#world.redis),
        atClient: (ms: number, work: () => void) => time.after(ms, work, this.actor),
      };
      this.#topology = new MemoryTopology(this.#world.server, { name: this.name, network });
      this.#streams = createStreams({
        redis: this.#topology, prefix: PREFIX, leaseMs: plan.leaseMs, publishDeadlineMs: PUBLISH_DEADLINE_MS,
        ...(plan.messagesPerEntry === null ? {} : { messagesPerEntry: plan.messagesPerEntry }),
      });
      if (subscribes) void this.#subscribe(this.#streams);
    }, this.actor);
  }

  publish(message: PlannedMessage): void {
    if (this.actor.isDead) return;
    this.openPublishes += 1;
    this.#world.time.after(0, () => void this.#publish(message).finally(() => (this.openPublishes -= 1)), this.actor);
  }

  lose(): void {
    this.#topology?.lose();
  }

  /** Its packets fare so from now on; null: as the weather is. */
  cut(how: PacketFate | null): void {
    this.#disturb();
    this.#cut = how;
  }

  freeze(): void {
    this.#disturb();
    this.actor.freeze();
  }

  thaw(): void {
    this.#disturb();
    this.actor.thaw();
  }

  /** Whether others may have taken it for dead, and it may not know that yet. */
  get isAway(): boolean {
    return this.actor.isDead || this.actor.isFrozen || this.#cut !== null || this.#world.time.nowMs < this.#awayAtMs + BACK_MS;
  }

  /** It may not know any more what others do. */
  #disturb(): void {
    this.#isDisturbed = true;
    this.#awayAtMs = this.#world.time.nowMs;
  }

  kill(): void {
    if (this.actor.isDead) return;
    this.actor.kill();
    this.#topology?.kill();
    this.openPublishes = 0;
    this.#ended();
  }

  /** As at SIGTERM: it ends when its engine has stopped. */
  stop(deadlineMs: number): void {
    this.#world.time.after(0, () => void this.#streams?.stop(deadlineMs).then(() => this.kill()), this.actor);
  }

  /** An operator does it with the connections of this process. */
  operate(fault: Fault): void {
    const work = (): void => void this.#operate(fault).catch((error: unknown) => {
      this.#world.record(`${this.name} could not ${fault.kind}: ${(error as Error).message}`);
    });
    this.#world.time.after(0, work, this.actor);
  }

  async #operate(fault: Fault): Promise<void> {
    const { topic } = this.#world;
    const { groups } = this.#streams!;
    if (fault.kind === 'redrive') await this.#redrive();
    if (fault.kind === 'seek') await groups.seek(topic, GROUP, { to: 'earliest', within: '1s' });
    if (fault.kind !== 'pause') return;
    await groups.pause(topic, GROUP, { within: '1s' });
    await wait(fault.forMs);
    await groups.resume(topic, GROUP);
  }

  /** An operator who waits for dead letters sees them as soon as others do. */
  async #redrive(): Promise<void> {
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      const result = await this.#streams!.deadLetters.redrive(this.#world.topic, GROUP, { all: true }).catch(() => null);
      if (result && result.redriven > 0) return;
      await wait(LOOK_EVERY_MS);
    }
  }

  #fate(packet: Packet): PacketFate {
    const fate = this.#world.fate(packet, this.name);
    if (packet.direction === 'request' && Number(fate) > LATE_MS) {
      // Its sender asks again over another connection, and may be answered before it arrives.
      this.#world.time.after(1, () => this.#topology?.loseReplies(), this.actor);
    }
    return this.#world.isCalm ? fate : (this.#cut ?? fate);
  }

  /** A start that fails is tried again, as an orchestrator would. */
  async #subscribe(streams: Streams): Promise<void> {
    const { topic, plan } = this.#world;
    const ordering = plan.mode === 'ordered' ? { ordering: { by: 'key' } as const } : {};
    const definition = { topic, group: GROUP, concurrency: plan.concurrency, crashLimit: CRASH_LIMIT, ...ordering };
    for (;;) {
      try {
        await streams.subscribe(definition, (delivery) => this.#handle(delivery));
        return;
      } catch (error) {
        this.#world.record(`${this.name} did not start: ${(error as Error).message}`);
        await wait(AGAIN_MS);
      }
    }
  }

  async #handle(delivery: Delivery): Promise<Outcome> {
    const { history, plan } = this.#world;
    // A member of a shared group begins what it had asked for before the group was destroyed, though others were given it since.
    const { waitsSince = Infinity } = delivery as { readonly waitsSince?: number };
    const mayNotKnow = plan.mode === 'shared' && (this.#isDisturbed || waitsSince < this.#world.destroyedAtMs + LATE_MS);
    const isAfterEnd = !mayNotKnow && this.#world.isSettled(delivery.partition, delivery.offset);
    const call = history.begin(this, delivery, isAfterEnd);
    const { value, attempt, crashes } = call;
    this.#world.record(`${this.name} begins ${value} attempt ${attempt} crashes ${crashes}${isAfterEnd ? ' though settled' : ''}`);
    const { handler, handleMs } = plan.messages[value]!;
    if (handleMs > 0) await wait(handleMs);
    if (this.#isKilledBy(value)) await new Promise(() => undefined);
    // As the pipeline of a user's handler does: without its lease it decides nothing.
    const outcome: Outcome = delivery.lease.isGivenUp ? { kind: 'release' } : outcomeOf(handler, attempt);
    history.end(call, outcome.kind);
    this.#world.record(`${this.name} ends ${value} ${outcome.kind}`);
    return outcome;
  }

  #isKilledBy(value: number): boolean {
    const { history, plan } = this.#world;
    const { handler } = plan.messages[value]!;
    const isFirst = history.calls.filter((call) => call.value === value).length === 1;
    if (handler !== 'kills' && !(handler === 'kills-once' && isFirst)) return false;
    history.presumedDeaths += 1;
    this.kill();
    return true;
  }

  async #publish(planned: PlannedMessage): Promise<void> {
    const { history, topic } = this.#world;
    const asked = history.moment();
    let isFirstTry = true;
    const due = planned.delayMs === null ? undefined : { inMs: planned.delayMs };
    history.attempted.add(planned.value);
    do {
      try {
        const { duplicate } = await this.#streams!.publish(topic, outgoing(planned), due ? { due } : {});
        history.acknowledged.add(planned.value);
        if (isFirstTry && !due) history.storedAtOnce(planned, this.name, asked);
        this.#world.record(`${this.name} published ${planned.value}${duplicate ? ' before' : ''}`);
        return;
      } catch (error) {
        isFirstTry = false;
        this.#world.record(`${this.name} could not publish ${planned.value}: ${(error as Error).message}`);
        await wait(AGAIN_MS);
      }
    } while (planned.idempotencyKey !== null);
  }
}

function outgoing({ value, key, idempotencyKey }: PlannedMessage): OutgoingMessage {
  const id = `01a3185c-5000-7000-8000-${value.toString(16).padStart(12, '0')}`;
  const payloadJson = JSON.stringify({ v: value });
  return { id, key, idempotencyKey, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson };
}

const failure = errorRecord(new Error('as planned'));

function outcomeOf(handler: PlannedMessage['handler'], attempt: number): Outcome {
  if (handler === 'good' || handler === 'kills-once' || (handler === 'fails-once' && attempt > 1)) return { kind: 'ack' };
  if (attempt < ATTEMPTS) return { kind: 'retry', delayMs: RETRY_MS, error: failure };
  return { kind: 'dead-letter', reason: 'ATTEMPTS_EXHAUSTED', error: failure };
}
