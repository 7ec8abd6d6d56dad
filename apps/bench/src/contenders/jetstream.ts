import {
  AckPolicy, type ConsumerMessages, jetstream as client, jetstreamManager, RetentionPolicy, StorageType,
} from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { type Order, order } from '../order.js';
import type { Contender, Handled } from './contender.js';
import { inWindow } from './window.js';

const STREAM = 'bench';
const SUBJECT = 'bench.orders';
const UNDER_WAY = 512;

/** NATS JetStream on disk: each publish acknowledged, each message acknowledged. */
export const jetstream: Contender = {
  openProducer: async (url, { bytes }) => {
    const connection = await connect({ servers: url });
    const stream = client(connection);
    return {
      saturate: (count) =>
        inWindow(count, UNDER_WAY, (number) => stream.publish(SUBJECT, JSON.stringify(order(number, bytes)))),
      send: (sent) => stream.publish(SUBJECT, JSON.stringify(sent)),
      close: () => connection.close(),
    };
  },
  openConsumer: async (url, _spec, handled) => {
    const connection = await connect({ servers: url });
    const manager = await jetstreamManager(connection);
    const kept = { storage: StorageType.File, retention: RetentionPolicy.Limits };
    await manager.streams.add({ name: STREAM, subjects: [SUBJECT], ...kept });
    await manager.consumers.add(STREAM, { durable_name: STREAM, ack_policy: AckPolicy.Explicit });
    const consumer = await client(connection).consumers.get(STREAM, STREAM);
    void handleAll(await consumer.consume({ max_messages: UNDER_WAY }), handled);
    return { close: () => connection.close() };
  },
};

async function handleAll(messages: ConsumerMessages, handled: Handled): Promise<void> {
  for await (const message of messages) {
    handled(message.json<Order>());
    message.ack();
  }
}
