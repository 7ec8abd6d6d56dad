import { randomBytes } from 'node:crypto';
import { RpcIndefiniteError } from '../errors.js';
import { tooLarge } from '../wire/payload-bound.js';
import { type EndKind, type StreamKind, streamField } from '../wire/stream-frame.js';
import type { ItemOutlet } from './item-outlet.js';
import type { ServedRequest } from './served-request.js';
import type { AnswerItems } from './service-definition.js';
import { StreamPump } from './stream-pump.js';

const RUN_BYTES = 9;

export interface ServedStreamParts {
  readonly request: ServedRequest;
  readonly outlet: ItemOutlet;
  /** The member name of this instance. */
  readonly member: string;
  readonly maxPayloadBytes: number;
  /** An inbox has the item. */
  readonly sent: () => void;
}

/** One execution of a method that answers with a stream: open -> all items are written -> ended. */
export class ServedStream {
  readonly run = randomBytes(RUN_BYTES).toString('base64url');
  readonly request: ServedRequest;
  readonly #parts: ServedStreamParts;
  readonly #pump: StreamPump;
  #openedAtMs = 0;
  #unwritten = 0;
  #allWritten: (() => void) | null = null;
  #failure: Error | null = null;

  constructor(parts: ServedStreamParts) {
    this.#parts = parts;
    this.request = parts.request;
    const { signal, frame: { window } } = parts.request;
    const send = (text: string, number: number): void => this.#send(text, number);
    this.#pump = new StreamPump({ window, signal, send });
  }

  get sent(): number {
    return this.#pump.sent;
  }

  /**
   * Resolves when an inbox has all items, or when nobody waits for them.
   *
   * @throws the error of the method; RpcIndefiniteError when items are lost
   */
  async serve(items: AnswerItems): Promise<void> {
    this.#open();
    let failure: unknown = null;
    let hasFailed = false;
    try {
      await this.#pump.run(items);
    } catch (thrown) {
      failure = thrown;
      hasFailed = true;
    }
    await this.#written();
    if (this.#failure !== null) throw this.#failure;
    if (hasFailed) throw failure;
  }

  grant(upTo: number): void {
    this.#pump.grant(upTo);
  }

  /** Says again that it is open, and how much was sent: its caller may know nothing of it any more, or lack items. */
  remind(everyMs: number): void {
    if (performance.now() - this.#openedAtMs >= everyMs) this.#open();
  }

  /** Ends it, and its method: its items may be lost. */
  fail(error: RpcIndefiniteError): void {
    this.#failure ??= error;
    this.request.interrupt();
    this.#allWritten?.();
  }

  /** The field of its end, with how many items there were. */
  endField(kind: EndKind): string {
    return this.#field(kind, this.sent);
  }

  #open(): void {
    this.#openedAtMs = performance.now();
    this.#parts.outlet.add({ field: this.#field('o', this.sent), value: this.#parts.member, written: nothing });
  }

  #send(text: string, number: number): void {
    if (typeof text !== 'string') throw new TypeError('The method gave an item that is no text.');
    const problem = tooLarge('An item', text, this.#parts.maxPayloadBytes);
    if (problem !== null) throw problem;
    this.#unwritten += 1;
    const written = (): void => {
      this.#unwritten -= 1;
      this.#parts.sent();
      if (this.#unwritten === 0) this.#allWritten?.();
    };
    this.#parts.outlet.add({ field: this.#field('i', number), value: text, written });
  }

  /** Nothing is waited for that its caller does not wait for. */
  async #written(): Promise<void> {
    const { signal } = this.request;
    if (this.#unwritten === 0 || this.#failure !== null || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#allWritten = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #field(kind: StreamKind, number: number): string {
    return streamField({ kind, correlation: this.request.frame.correlation, run: this.run, number });
  }
}

function nothing(): void {
  // The opening is repeated in any case.
}
