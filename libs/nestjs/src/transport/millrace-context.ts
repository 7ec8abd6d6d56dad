import { BaseRpcContext, type PacketMetadata } from '@nestjs/microservices';

/** The parts of a context, by their names. */
export interface ContextFacts {
  readonly subject: string;
  readonly pattern: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<PacketMetadata> | undefined;
  readonly messageId: string;
  readonly attempt: number;
  readonly key: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly signal: () => AbortSignal;
}

/** `@Ctx()` of a handler on the Millrace transport. */
export class MillraceContext extends BaseRpcContext<[ContextFacts]> {
  constructor(facts: ContextFacts) {
    super([facts]);
  }

  /** The topic of an event; the pattern that the caller of a request named. */
  getSubject(): string {
    return this.#facts.subject;
  }

  /** The pattern of the handler, with its wildcards; that of an object as Nest writes it. */
  getPattern(): string {
    return this.#facts.pattern;
  }

  /** The metadata that the client's dispatch hook attached; undefined for none. */
  getMetadata(): Readonly<PacketMetadata> | undefined {
    return this.#facts.metadata;
  }

  /** The headers of the record; empty for none. */
  getHeaders(): Readonly<Record<string, string>> {
    return this.#facts.headers;
  }

  /** Unique; the same at each attempt. */
  get messageId(): string {
    return this.#facts.messageId;
  }

  /** 1 for the first try of an event; failures of its handlers count. Always 1 for a request. */
  get attempt(): number {
    return this.#facts.attempt;
  }

  /** The key of an event; null for none, and for a request. */
  get key(): string | null {
    return this.#facts.key;
  }

  /** Null for a request. */
  get partition(): number | null {
    return this.#facts.partition;
  }

  /** Dense number of an event in its partition, from 0; null for a request. */
  get offset(): number | null {
    return this.#facts.offset;
  }

  /** Aborts when nothing that follows counts: stop then. */
  get signal(): AbortSignal {
    return this.#facts.signal();
  }

  get #facts(): ContextFacts {
    return this.args[0];
  }
}
