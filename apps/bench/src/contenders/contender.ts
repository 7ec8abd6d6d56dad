import type { Order } from '../order.js';
import type { ServerKind } from '../servers/server.js';

export const KINDS = [
  'bare-loop', 'pub-sub', 'nest-redis', 'jetstream', 'rabbitmq', 'bullmq', 'millrace', 'millrace-jobs',
  'millrace-calls', 'nest-calls', 'transport-calls', 'transport-events',
] as const;
export type Kind = (typeof KINDS)[number];

/** Plain data, so that it can be sent to the processes of its sides. */
export interface Spec {
  readonly name: string;
  readonly kind: Kind;
  /** About how long the JSON of one order is. */
  readonly bytes: number;
  readonly millrace?: MillraceSettings;
  /**
   * Processes that make calls: present for contenders of remote calls. Their consumer answers, and their producers handle a
   * message when its answer has come.
   */
  readonly callers?: number;
}

/** The options of Millrace; the default of each is that of the library. */
export interface MillraceSettings {
  /** The number of topics, all subscribed to. Default 1; messages are published to the first. */
  readonly topics?: number;
  readonly partitions?: number;
  /** Handle the messages of a customer one after the other. */
  readonly ordered?: boolean;
  /** Publish with an idempotency key on every message. */
  readonly keyed?: boolean;
  /** Handlers with the option `idempotency`. */
  readonly ledger?: boolean;
  /** Publish by `publishMany`. */
  readonly many?: boolean;
  /** Every order goes to the partition of one customer. */
  readonly oneCustomer?: boolean;
  /** Groups that each get every message. Default 1. */
  readonly groups?: number;
  readonly concurrency?: number;
  readonly lease?: string;
  /** `fail`: handlers throw, and are retried after a day; `hold`: they never end. Default: they return. */
  readonly handler?: 'fail' | 'hold';
  /** With a {@link handler}: only so many groups have it, the others return. Default all. */
  readonly afflicted?: number;
}

/** The side that publishes. */
export interface Producer {
  /** Publishes as fast as it can; resolves when all are acknowledged as far as this contender acknowledges. */
  saturate(count: number): Promise<void>;
  /** Publishes one; resolves when it is acknowledged as far as this contender acknowledges. */
  send(order: Order): Promise<unknown>;
  /** Publishes so many and waits for none of them; resolves when each was stored or refused, with how many were refused. */
  flood?(count: number): Promise<number>;
  close(): Promise<void>;
}

/** The side that handles, or answers calls: {@link Handled} is called once for each message. */
export interface Consumer {
  close(): Promise<void>;
}

export type Handled = (order: Pick<Order, 'sentAt'>) => void;

export interface Contender {
  /** @param handled for contenders of remote calls */
  openProducer(url: string, spec: Spec, handled: Handled): Promise<Producer>;
  openConsumer(url: string, spec: Spec, handled: Handled): Promise<Consumer>;
}

/** The server that this kind of contender runs on. */
export function serverOf(kind: Kind): ServerKind {
  if (kind === 'jetstream') return 'nats';
  return kind === 'rabbitmq' ? 'rabbitmq' : 'redis';
}

const CALLS_UNDER_WAY = 256;

/** How many calls each caller makes at once when it calls as fast as it can. */
export function callsUnderWay({ callers = 1 }: Spec): number {
  return CALLS_UNDER_WAY / callers;
}
