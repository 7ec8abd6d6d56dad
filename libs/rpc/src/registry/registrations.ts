import { emit, errorRecord, isMillraceError, MillraceError, type PresencePort, quote, type Watcher } from '@millrace/core';
import { putInstance, type RegistryPlace, removeInstance, type StoredField } from './change-instance.js';
import { differingMethods } from './contract-digest.js';
import type { Duty } from './duty.js';
import type { Instance, InstanceDefinition, InstanceUpdate } from './instance.js';
import type { InstanceReader } from './instance-reader.js';
import { fieldOf, siblingsOf, textOf } from './instance-text.js';
import { livingAmong } from './known-fates.js';
import { newInstance } from './new-instance.js';

/** Rounds of removing instances that are dead: others may die or come meanwhile. */
const MOST_ROUNDS = 20;
const MOST_SHOWN = 5;

/** An instance of this process in the registry. */
export interface Registration {
  readonly instance: Instance;
  /**
   * Changes it for all who know it. A change that is rejected with a retryable error is made later all the same.
   *
   * @throws MillraceError INVALID_INPUT; CLOSED once it is unregistered
   * @throws RedisFailure
   */
  update(change: InstanceUpdate): Promise<void>;
  /**
   * Removes it. Where Redis cannot be reached now, that is done later, or by others when this process is gone. May be called
   * again.
   *
   * @throws RedisFailure
   */
  unregister(): Promise<void>;
}

export interface RegistrationsParts {
  readonly presence: PresencePort;
  readonly place: RegistryPlace;
  readonly reader: InstanceReader;
  /** Something is due, or this process serves others than before. */
  readonly changed: () => void;
}

interface Entry {
  readonly field: string;
  readonly definition: InstanceDefinition;
  instance: Instance;
  /** Null when it is to be removed. */
  text: string | null;
  isDue: boolean;
  /** Whether it was registered once: only then it is kept in the registry. */
  isRegistered: boolean;
}

/**
 * The instances of this process. They are put into the registry again when others have taken this process for dead, and whenever
 * they are missing there.
 */
export class Registrations implements Duty, Watcher {
  readonly watched: readonly string[] = [];
  readonly onGone = (): void => undefined;
  readonly #parts: RegistrationsParts;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(parts: RegistrationsParts) {
    this.#parts = parts;
  }

  get isDue(): boolean {
    if (!this.#parts.presence.isSure) return [...this.#entries.values()].some(({ text, isDue }) => isDue && text === null);
    return [...this.#entries.values()].some(({ isDue }) => isDue);
  }

  /** Service and member of each instance that is registered. */
  *served(): Generator<readonly [service: string, member: string]> {
    for (const { text, isRegistered, instance } of this.#entries.values()) {
      if (text !== null && isRegistered) yield [instance.service, instance.member];
    }
  }

  /** @throws as `Registry.register` says */
  async register(definition: InstanceDefinition): Promise<Registration> {
    this.#assertOpen();
    const instance = newInstance(definition);
    const field = fieldOf(instance);
    if (this.#entries.get(field)?.text) throw new MillraceError('INVALID_INPUT', `Instance ${quote(field)} is registered by this process already: update that registration, or unregister it first.`);
    const entry: Entry = { field, definition, instance, text: textOf(instance), isDue: false, isRegistered: false };
    this.#entries.set(field, entry);
    this.#parts.presence.watch(this);
    try {
      await this.#put(entry);
      if (entry.text === null) this.#assertOpen();
      entry.isRegistered = true;
    } catch (error) {
      this.#giveUp(entry, error);
      throw error;
    }
    this.#parts.changed();
    return this.#registrationOf(entry);
  }

  /** Each instance is to be looked for. */
  look(): void {
    for (const entry of this.#entries.values()) if (entry.isRegistered) entry.isDue = true;
  }

  /** Others may have removed what is registered. */
  readonly onReturn = (): void => {
    this.look();
    this.#parts.changed();
  };

  /** Somebody has changed an instance. */
  heard({ field, text }: StoredField): void {
    const entry = this.#entries.get(field);
    if (!entry?.isRegistered || (entry.text ?? '') === text) return;
    entry.isDue = true;
    this.#parts.changed();
  }

  async perform(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if (!entry.isDue || !this.#isOwn(entry) || (entry.text !== null && !this.#parts.presence.isSure)) continue;
      entry.isDue = false;
      // Who removes what a departed member has left behind would do so again and again.
      if (this.#parts.presence.fateOf(entry.instance.member) !== 'living') entry.text = null;
      await this.#settle(entry).catch((error: unknown) => this.#failed(entry, error));
    }
  }

  /** Removes all of them; one that cannot be removed now is removed by others when this process is gone. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#parts.presence.unwatch(this);
    const removed = [...this.#entries.values()].map(async (entry) => {
      entry.text = null;
      await this.#settle(entry).catch(report);
    });
    await Promise.all(removed);
  }

  #registrationOf(entry: Entry): Registration {
    return {
      get instance() {
        return entry.instance;
      },
      update: (change) => this.#update(entry, change),
      unregister: () => this.#unregister(entry),
    };
  }

  async #update(entry: Entry, change: InstanceUpdate): Promise<void> {
    this.#assertOpen();
    if (entry.text === null) throw new MillraceError('CLOSED', `Instance ${quote(entry.field)} is not registered any more, so it is not changed: register it again.`);
    const { metadata, weight, tags, draining, instance } = { ...entry, ...entry.instance };
    const before = { ...entry.definition, weight, tags, draining, metadata: Object.fromEntries(metadata) };
    entry.instance = { ...newInstance({ ...before, ...change }), startedAt: instance.startedAt };
    entry.text = textOf(entry.instance);
    entry.isDue = true;
    await this.#put(entry);
    entry.isDue = false;
  }

  async #unregister(entry: Entry): Promise<void> {
    if (!this.#isOwn(entry)) return;
    entry.text = null;
    entry.isDue = true;
    this.#parts.changed();
    await this.#settle(entry);
  }

  async #settle(entry: Entry): Promise<void> {
    if (entry.text !== null) return this.#put(entry);
    await removeInstance(this.#parts.place, { field: entry.field, text: '' });
    if (this.#isOwn(entry)) this.#entries.delete(entry.field);
  }

  /** Whether it has not been registered anew since. */
  #isOwn(entry: Entry): boolean {
    return this.#entries.get(entry.field) === entry;
  }

  /** Puts the instance as it is now into the registry. */
  async #put(entry: Entry): Promise<void> {
    const ignored: string[] = [];
    for (let round = 0; entry.text !== null && round < MOST_ROUNDS; round += 1) {
      const siblings = siblingsOf(entry.instance);
      const answer = await putInstance(this.#parts.place, { field: entry.field, text: entry.text }, { siblings, ignored });
      if ('version' in answer) return;
      ignored.push(...(await this.#clear(entry, answer.conflicts)));
    }
    if (entry.text !== null) throw unsettled(entry.field);
  }

  /**
   * Removes instances that stand in the way and are gone.
   *
   * @returns the fields that nobody can read, which do not count
   * @throws MillraceError CONTRACT_CONFLICT when one lives
   */
  async #clear({ instance }: Entry, conflicts: readonly StoredField[]): Promise<string[]> {
    const [{ reader, place, presence }, { contract }] = [this.#parts, instance];
    const read = conflicts.map((stored) => ({ stored, other: reader.read(stored.field, stored.text) }));
    const others = read.flatMap(({ stored, other }) => (other && other.contract !== contract ? [{ stored, other }] : []));
    const members = others.map(({ other }) => other.member);
    const living = members.length > 0 ? await livingAmong(presence, members, this.#closing.signal) : [];
    this.#assertOpen();
    for (const { stored, other } of others) if (!living.includes(other.member)) await removeInstance(place, stored);
    const standing = others.find(({ other }) => living.includes(other.member));
    if (standing) throw conflict(instance, standing.other);
    return read.filter(({ other }) => !other || other.contract === contract).map(({ stored }) => stored.field);
  }

  /** It may be in Redis all the same, and is removed then. */
  #giveUp(entry: Entry, error: unknown): void {
    entry.text = null;
    entry.isDue = true;
    if (isMillraceError(error) && !error.retryable) this.#entries.delete(entry.field);
    this.#parts.changed();
  }

  /** An instance that others refuse is tried again at the next look, and holds up nothing. */
  #failed(entry: Entry, error: unknown): void {
    if (isMillraceError(error) && error.code === 'CONTRACT_CONFLICT') return report(error);
    entry.isDue = true;
    throw error;
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw new MillraceError('CLOSED', 'The registry of this process is stopped: it registers and changes no instance any more.');
  }
}

function report(error: unknown): void {
  emit('loop-failed', { loop: 'registry', error: errorRecord(error), failures: 1 });
}

function conflict(own: Instance, other: Instance): MillraceError {
  const names = differingMethods(own.methods, other.methods);
  const more = names.length > MOST_SHOWN ? ` and ${names.length - MOST_SHOWN} more` : '';
  const shown = names.slice(0, MOST_SHOWN).map(quote).join(', ') + more;
  const place = `${other.member} (host ${quote(other.host)}, process ${other.pid})`;
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `Service '${own.service}' in version '${own.version}' is served by the living instance ${place} with another contract: it differs in ${shown}. ` +
      'Callers could not know which one they call, so this instance is not registered. Give it another version, or stop the other one first.',
  );
}

function unsettled(field: string): MillraceError {
  const what = `Instance ${quote(field)} is not registered: others with another contract came and went all the time.`;
  return new MillraceError('CONTRACT_CONFLICT', `${what} Try again.`, { retryable: true });
}
