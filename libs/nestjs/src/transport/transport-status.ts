import { type EventMap, listen } from '@millrace/core';

export type TransportStatus = 'connected' | 'disconnected';

/** Listeners of {@link TransportStatusWatch}: `error` gets what an attempt to connect failed with. */
export type TransportEvents = {
  readonly connected: () => void;
  readonly disconnected: () => void;
  readonly error: (error: Error) => void;
};

type ConnectionEvent = EventMap['connection'];

interface Hearers {
  readonly status: (status: TransportStatus) => void;
  readonly error: (error: Error) => void;
}

/** Follows the connections of one server or client: connected while none of them is missing. */
export class TransportStatusWatch {
  readonly #hearers: Hearers;
  readonly #prefix: string;
  readonly #missing = new Set<string>();
  readonly #stop: () => void;

  /** @param name the first part of the names of the connections */
  constructor(name: string, hearers: Hearers) {
    this.#prefix = `${name}:`;
    this.#hearers = hearers;
    this.#stop = listen('connection', (event) => this.#heard(event));
  }

  stop(): void {
    this.#stop();
  }

  #heard({ name, node = '', state, error }: ConnectionEvent): void {
    if (!name.startsWith(this.#prefix)) return;
    const wasWell = this.#missing.size === 0;
    const place = `${name} ${node}`;
    if (state === 'ready' || state === 'closed') this.#missing.delete(place);
    else this.#missing.add(place);
    if (state === 'failed') this.#hearers.error(new Error(error?.message ?? 'Redis cannot be reached'));
    const isWell = this.#missing.size === 0;
    if (isWell !== wasWell) this.#hearers.status(isWell ? 'connected' : 'disconnected');
  }
}
