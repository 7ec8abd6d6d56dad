import { connect, type ConfirmChannel } from 'amqplib';
import { type Order, order } from '../order.js';
import type { Contender, Spec } from './contender.js';
import { inWindow } from './window.js';

const UNDER_WAY = 512;

/** RabbitMQ with a durable queue, persistent messages, publisher confirms and an acknowledgement for each message. */
export const rabbitmq: Contender = {
  openProducer: async (url, spec) => {
    const { bytes } = spec;
    const queue = queueOf(spec);
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    return {
      saturate: (count) => inWindow(count, UNDER_WAY, (number) => published(channel, queue, order(number, bytes))),
      send: (sent) => published(channel, queue, sent),
      close: () => connection.close(),
    };
  },
  openConsumer: async (url, spec, handled) => {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    const queue = queueOf(spec);
    await channel.assertQueue(queue, { durable: true, autoDelete: true });
    await channel.prefetch(UNDER_WAY);
    await channel.consume(queue, (message) => {
      if (message === null) return;
      handled(JSON.parse(message.content.toString()) as Order);
      channel.ack(message);
    });
    return { close: () => connection.close() };
  },
};

/**
 * Everything on this machine shares one RabbitMQ, and consumers of one queue share its messages. So each contender of each run
 * has a queue of its own, called after the process that both sides are children of; it goes with its consumer.
 */
function queueOf({ name }: Spec): string {
  return `millrace-bench-${process.ppid}-${name}`;
}

function published(channel: ConfirmChannel, queue: string, sent: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(sent)), { persistent: true }, (error) => {
      if (error) reject(error as Error);
      else resolve();
    });
  });
}
