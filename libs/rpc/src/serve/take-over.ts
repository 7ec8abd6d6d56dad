import { emit, errorRecord, Loop, type PresencePort, type Watcher } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { isMemberName, PUT_BACK, SERVERS } from '../keys.js';
import type { Certainty } from './certainty.js';
import type { OwnStreams } from './own-streams.js';
import type { RequestSlots } from './request-slots.js';
import type { RequestStream } from './request-stream.js';
import type { ServedRequest } from './served-request.js';
import type { ServerCounters } from './server-counters.js';

const peers = loadScript('../scripts/peers.lua', import.meta.url);
const takeOver = loadScript('../scripts/take-over.lua', import.meta.url);

export interface TakeOverParts {
  readonly redis: Topology;
  readonly member: string;
  readonly presence: PresencePort;
  /** The stream of the service. */
  readonly stream: RequestStream<ServedRequest>;
  readonly slots: RequestSlots;
  readonly ownStreams: OwnStreams;
  readonly counters: ServerCounters;
  readonly certainty: Certainty;
}

/** How many other instances each one watches: those next to it in the order of names, in a ring. */
const WATCHED = 2;
/** Most requests taken at once. */
const MOST_TAKEN = 64;
const NO_SLOT_PAUSE_MS = 20;

/** Takes over the requests of instances that are gone: of the next two in a ring, so that the cost does not grow with them. */
export class TakeOver implements Watcher {
  readonly #parts: TakeOverParts;
  readonly #loop: Loop;
  #watched: readonly string[] = [];

  constructor(parts: TakeOverParts) {
    this.#parts = parts;
    this.#loop = new Loop({
      name: 'rpc-take-over',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { loop: 'rpc-take-over', error: errorRecord(error), failures }),
    });
  }

  get watched(): readonly string[] {
    return this.#watched;
  }

  onGone(): void {
    this.#loop.wake();
  }

  /** Others may have taken requests over, which this instance holds: their settlement decides who answers. */
  onReturn(): void {
    this.#parts.certainty.lost();
    this.#loop.wake();
  }

  start(): void {
    this.#parts.presence.watch(this);
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#parts.presence.unwatch(this);
    await this.#loop.stop();
  }

  /** @returns how long to pause: no time when there may be more to take */
  async #round(): Promise<number> {
    const { presence, member } = this.#parts;
    if (!presence.isSure) return presence.leaseMs / 10;
    const pending = await this.#peers();
    this.#watched = nextInRing([...pending.keys()], member);
    let pauseMs = presence.leaseMs;
    for (const peer of this.#watched) {
      if (presence.fateOf(peer) === 'living') continue;
      await this.#parts.ownStreams.empty(peer);
      pauseMs = Math.min(pauseMs, await this.#take(peer, true));
    }
    if ((pending.get(PUT_BACK) ?? 0) > 0) pauseMs = Math.min(pauseMs, await this.#take(PUT_BACK, false));
    return pauseMs;
  }

  /** Consumer -> how many requests it holds. */
  async #peers(): Promise<Map<string, number>> {
    const { redis, stream } = this.#parts;
    const reply = (await redis.controlFor(stream.key).run(peers, [stream.key], [SERVERS])) as (string | number)[];
    const found = new Map<string, number>();
    for (let index = 0; index + 1 < reply.length; index += 2) found.set(String(reply[index]), Number(reply[index + 1]));
    return found;
  }

  async #take(gone: string, mayHaveBegun: boolean): Promise<number> {
    const { redis, stream, slots, member, counters } = this.#parts;
    if (slots.free <= 0) return NO_SLOT_PAUSE_MS;
    const args = [SERVERS, member, gone, Math.min(slots.free, MOST_TAKEN)];
    const origin = { takenOver: mayHaveBegun, readIn: this.#parts.certainty.epoch };
    let reply: [string, [string, unknown][]];
    if (mayHaveBegun) slots.takingOver += 1;
    try {
      reply = (await redis.controlFor(stream.key).run(takeOver, [stream.key], args)) as typeof reply;
    } catch (error) {
      // They may belong to this instance by now.
      stream.readAgain('taken');
      throw error;
    } finally {
      if (mayHaveBegun) slots.takingOver -= 1;
    }
    const [, entries] = reply;
    for (const entry of entries) slots.receive(stream, entry, origin);
    if (mayHaveBegun) counters.takenOver += entries.length;
    slots.pump();
    return 0;
  }
}

/** The names that follow the own one, in order, the first behind the last. */
export function nextInRing(names: readonly string[], own: string): readonly string[] {
  const others = names.filter((name) => name !== own && name !== PUT_BACK && isMemberName(name)).sort();
  const behind = others.findIndex((name) => name > own);
  const start = behind < 0 ? 0 : behind;
  return [...others.slice(start), ...others.slice(0, start)].slice(0, WATCHED);
}
