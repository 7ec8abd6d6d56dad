import { emit, errorRecord, Loop, spread } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { ChangeFeed } from './change-feed.js';
import type { RegistryPlace, StoredField } from './change-instance.js';
import type { Duty } from './duty.js';
import type { InstanceSet } from './instance-set.js';
import { type ReadInstances, readInstances, readVersion } from './read-instances.js';

/** How long to wait, about, before all is read again after a missed change: all who missed it would do so at once. */
const READ_AGAIN_MS = 300;
const READY_WAIT_MS = 1_000;
const VERSION = /^\d{1,15}$/;

export interface RegistrySyncParts {
  readonly redis: Topology;
  readonly place: RegistryPlace;
  readonly instances: InstanceSet;
  /** How often the version is asked for, about. */
  readonly pollMs: number;
  readonly duties: readonly Duty[];
  /** It is about time to look whether everything is as it should be. */
  readonly polled: () => void;
  /** Instances of these services have changed. */
  readonly changed: (services: ReadonlySet<string>) => void;
  /** A change of any instance was heard; the text is empty for one that was removed. */
  readonly heard: (change: StoredField) => void;
}

interface Change extends StoredField {
  readonly version: number;
}

/** How often something has happened to the copy of the registry in this process. */
export interface SyncCounts {
  pushes: number;
  gaps: number;
  reads: number;
  passedOver: number;
}

/**
 * Keeps the instances of the services that this process uses as they are in Redis. Each change is pushed with its version, and is
 * taken in when that follows the one before; after a gap, and after a lost connection, all is read again. Behind that the version
 * is polled, so that nothing is missed for long.
 */
export class RegistrySync {
  readonly counts: SyncCounts = { pushes: 0, gaps: 0, reads: 0, passedOver: 0 };
  readonly #parts: RegistrySyncParts;
  readonly #feed: ChangeFeed;
  readonly #loop: Loop;
  readonly #services = new Set<string>();
  /** Services that were read at least once. */
  readonly #loaded = new Set<string>();
  #waiting: (() => void)[] = [];
  /** The version that the instances have here, and that of the last time when all were read. */
  #version = -1;
  #readVersion = -1;
  /** The first version of the registry that was read last. */
  #since = '';
  /** Changes that came while all is read. */
  #during: Change[] | null = null;
  #readAtMs = Number.POSITIVE_INFINITY;
  #pollAtMs = Number.NEGATIVE_INFINITY;
  /** Something is missing here, besides what was pushed. */
  #isBehind = true;
  #polledVersion = -1;
  #currentAtMs = Number.NEGATIVE_INFINITY;
  #wasOpen = false;
  #isStopped = false;

  constructor(parts: RegistrySyncParts) {
    this.#parts = parts;
    this.#feed = new ChangeFeed(parts.redis, parts.place.keys.changes, {
      heard: (text) => this.#heard(text),
      opened: () => this.#opened(),
      lost: (answeredAtMs) => {
        if (!this.#isBehind) this.#currentAtMs = Math.max(this.#currentAtMs, answeredAtMs);
      },
    });
    this.#loop = new Loop({
      name: 'registry',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'registry', error: errorRecord(error), failures }),
    });
  }

  /** 0 while every change is heard; else how long ago the instances were surely as in Redis, in milliseconds. */
  get staleForMs(): number {
    return this.#feed.isOpen && !this.#isBehind ? 0 : performance.now() - this.#currentAtMs;
  }

  get services(): ReadonlySet<string> {
    return this.#services;
  }

  isLoaded(service: string): boolean {
    return this.#loaded.has(service);
  }

  /** From now on the instances of the service are kept. */
  use(service: string): void {
    if (this.#services.has(service)) return;
    this.#services.add(service);
    this.#readWithin(0);
    this.start();
  }

  /** Resolves when the service has been read, or {@link stop} was called. */
  async loaded(service: string): Promise<void> {
    while (!this.#loaded.has(service) && !this.#isStopped) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  start(): void {
    if (this.#isStopped) return;
    this.#feed.start();
    this.#loop.start();
    this.#loop.wake();
  }

  /** A duty is due. */
  wake(): void {
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#loop.stop(), this.#feed.stop()]);
    this.#resolveWaiting();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { place, duties, polled } = this.#parts;
    if (!(await place.connection.whenReady(READY_WAIT_MS, signal))) return 0;
    if (this.#pollAtMs <= performance.now()) {
      polled();
      this.#tell(this.#parts.instances.forgetLost());
      await this.#poll();
    }
    if (this.#readAtMs <= performance.now()) await this.#read();
    for (const duty of duties) if (duty.isDue && !signal.aborted) await duty.perform();
    return Math.max(1, Math.min(this.#pollAtMs, this.#readAtMs) - performance.now());
  }

  /** A change that is on its way makes good what the poll has found missing. */
  async #poll(): Promise<void> {
    const before = this.#version;
    const version = await readVersion(this.#parts.place);
    this.#pollAtMs = performance.now() + spread(this.#parts.pollMs);
    if (version === this.#version && !this.#isBehind) this.#currentAtMs = performance.now();
    else if (version < before) this.#missed(READ_AGAIN_MS);
    else if (version > this.#version) {
      this.#polledVersion = version;
      this.#readWithin(READ_AGAIN_MS);
    }
  }

  async #read(): Promise<void> {
    this.#readAtMs = Number.POSITIVE_INFINITY;
    if (!this.#isBehind && this.#version >= this.#polledVersion && this.#isAllLoaded()) return;
    const services = [...this.#services];
    if (services.length === 0) return;
    const versionBefore = this.#version;
    this.#during = [];
    try {
      const read = await readInstances(this.#parts.place, services);
      this.counts.reads += 1;
      this.counts.passedOver += read.passedOver;
      this.#replaced(services, read, this.#isLost(read, versionBefore));
    } catch (error) {
      // The loop reads again after its pause, which grows: to wake it would ask a Redis that refuses without end.
      this.#isBehind = true;
      this.#readAtMs = performance.now();
      throw error;
    } finally {
      this.#during = null;
    }
  }

  /** Redis has lost the registry, or changes of it, as a failover may. */
  #isLost({ version, since }: ReadInstances, versionBefore: number): boolean {
    const wasThere = this.#readVersion > 0;
    return version < versionBefore || (wasThere && since !== this.#since);
  }

  #replaced(services: readonly string[], { version, since, fields }: ReadInstances, isLost: boolean): void {
    const during = this.#during!;
    this.#since = since;
    this.#version = version;
    this.#readVersion = version;
    this.#polledVersion = -1;
    this.#isBehind = false;
    this.#currentAtMs = performance.now();
    const changed = this.#parts.instances.replace(services, fields, isLost);
    for (const change of during) if (change.version > version) this.#apply(change, changed);
    for (const service of services) this.#loaded.add(service);
    this.#tell(changed);
    this.#resolveWaiting();
  }

  #isAllLoaded(): boolean {
    return this.#loaded.size === this.#services.size;
  }

  #resolveWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** After a failover the versions may go on from an earlier one, so that nothing less than reading all shows what is missing. */
  #opened(): void {
    if (this.#wasOpen) this.#missed(READ_AGAIN_MS);
    else this.#pollSoon(0);
    this.#wasOpen = true;
  }

  #heard(text: string): void {
    const change = changeIn(text);
    if (!change) return;
    this.counts.pushes += 1;
    this.#during?.push(change);
    const changed = new Set<string>();
    this.#apply(change, changed);
    this.#tell(changed);
    this.#parts.heard(change);
  }

  #tell(changed: ReadonlySet<string>): void {
    if (changed.size > 0) this.#parts.changed(changed);
  }

  #apply(change: Change, changed: Set<string>): void {
    const { version, field, text } = change;
    if (version <= this.#readVersion) return this.#pollSoon(READ_AGAIN_MS);
    if (version === this.#version + 1) this.#version = version;
    else {
      // A version that came twice: one of the two was none of ours.
      this.counts.gaps += 1;
      this.#version = Math.max(version, this.#version);
      this.#missed(READ_AGAIN_MS);
    }
    if (!this.#services.has(field.slice(0, field.indexOf(':')))) return;
    const { instances } = this.#parts;
    const service = text === '' ? instances.remove(field) : instances.put({ field, text });
    if (service !== null) changed.add(service);
  }

  #missed(withinMs: number): void {
    this.#isBehind = true;
    this.#readWithin(withinMs);
  }

  #readWithin(ms: number): void {
    const atMs = performance.now() + spread(ms);
    if (atMs >= this.#readAtMs) return;
    this.#readAtMs = atMs;
    this.#loop.wake();
  }

  #pollSoon(ms: number): void {
    const atMs = performance.now() + spread(ms);
    if (atMs >= this.#pollAtMs) return;
    this.#pollAtMs = atMs;
    this.#loop.wake();
  }
}

function changeIn(text: string): Change | null {
  const first = text.indexOf('\n');
  const second = text.indexOf('\n', first + 1);
  const version = text.slice(0, Math.max(0, first));
  if (second < 0 || !VERSION.test(version)) return null;
  return { version: Number(version), field: text.slice(first + 1, second), text: text.slice(second + 1) };
}
