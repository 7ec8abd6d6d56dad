import { connect, type ConfirmChannel } from 'amqplib';
import { type Order, order } from '../order.js';
import type { Contender } from './contender.js';
import { inWindow } from './window.js';

const QUEUE = 'millrace-bench';
const UNDER_WAY = 512;

/** RabbitMQ with a durable queue, persistent messages, publisher confirms and an acknowledgement for each message. */
export const rabbitmq: Contender = {
  openProducer: async (url, { bytes }) => {
    const connection = await connect(url);
    const channel = await connection.createConfirmChannel();
    return {
      saturate: (count) => inWindow(count, UNDER_WAY, (number) => published(channel, order(number, bytes))),
      send: (sent) => void published(channel, sent),
      close: () => connection.close(),
    };
  },
  openConsumer: async (url, _spec, handled) => {
    const connection = await connect(url);
    const channel = await connection.createChannel();
    await channel.assertQueue(QUEUE, { durable: true });
    await channel.purgeQueue(QUEUE);
    await channel.prefetch(UNDER_WAY);
    await channel.consume(QUEUE, (message) => {
      if (message === null) return;
      handled(JSON.parse(message.content.toString()) as Order);
      channel.ack(message);
    });
    return {
      close: async () => {
        await channel.deleteQueue(QUEUE);
        await connection.close();
      },
    };
  },
};

function published(channel: ConfirmChannel, sent: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(QUEUE, Buffer.from(JSON.stringify(sent)), { persistent: true }, (error) => {
      if (error) reject(error as Error);
      else resolve();
    });
  });
}
