import { deliveryPipeline, type DeliveryContext, fixed, type LedgerHolder, type MessageIdempotency, Topic, topicOf } from '@millrace/core';
import { Ledger, type LedgerOptions, Memo } from '@millrace/ledger';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import { IsString } from 'class-validator';
import type { PeerOptions } from './peer.js';

@Topic<Paid>('test.paid', { key: ({ order }) => order, partitions: 2 })
export class Paid {
  @IsString() order!: string;
}

export const GROUP = 'billing';
export const SCOPE = `topic:test.paid:${GROUP}`;

export type Handle = (payload: Paid, context: DeliveryContext) => Promise<unknown>;

export interface SubscriberOptions extends PeerOptions {
  readonly keyOf?: MessageIdempotency['keyOf'];
  readonly isOrdered?: boolean;
  readonly attempts?: number;
  readonly ledger?: Partial<LedgerOptions>;
  /** Handle messages as often as they come. */
  readonly isPlain?: boolean;
  readonly onExhausted?: 'dead-letter' | 'park';
}

/** A process whose handler of {@link Paid} is idempotent: by the order, unless it says otherwise. */
export interface Subscriber {
  readonly redis: StandaloneTopology;
  readonly streams: Streams;
  readonly ledger: Ledger;
  readonly idempotency: MessageIdempotency;
  readonly memo: Memo;
  readonly stop: (deadlineMs?: number) => Promise<void>;
}

const byOrder: MessageIdempotency['keyOf'] = (payload) => (payload as Paid).order;

/** For processes of their own, too: it needs no runner of tests. It has subscribed to nothing yet. */
export async function prepareSubscriber(options: SubscriberOptions): Promise<Subscriber> {
  const { url, prefix, leaseMs, keyOf = byOrder } = options;
  const redis = await connectServer({ url });
  const streams = createStreams({ redis, prefix, leaseMs });
  const { presence } = streams;
  const ledger = new Ledger({ redis, presence, prefix, scope: SCOPE, keepMs: 3_600_000, ...options.ledger });
  const member = await presence.join();
  const holder: LedgerHolder = { member, get isSure() { return presence.isSure; } };
  const stop = async (deadlineMs = 200): Promise<void> => {
    await streams.stop(deadlineMs);
    await ledger.stop();
    redis.close();
  };
  const memo = new Memo({ redis, prefix, scope: SCOPE });
  return { redis, streams, ledger, memo, idempotency: { ledger, holder, keyOf }, stop };
}

export async function startSubscriber(options: SubscriberOptions, handle: Handle): Promise<Subscriber> {
  const subscriber = await prepareSubscriber(options);
  const { attempts = 3, isOrdered = false, isPlain = false, onExhausted } = options;
  const topic = topicOf(Paid);
  const retry = { attempts, backoff: fixed('20ms'), deadLetterOn: [] };
  const anyHandle = handle as (payload: object, context: DeliveryContext) => Promise<unknown>;
  const { memo, idempotency } = subscriber;
  const handler = deliveryPipeline({ topic, group: GROUP, retry, memo, ...(isPlain ? {} : { idempotency }), handle: anyHandle });
  const definition = { topic, group: GROUP, concurrency: 16, crashLimit: 10, ...(isOrdered ? { ordering: { by: 'key' as const, onExhausted } } : {}) };
  await subscriber.streams.subscribe(definition, handler);
  return subscriber;
}
