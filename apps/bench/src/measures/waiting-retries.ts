import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import { inScene } from './scene.js';

const LONGEST_MS = 5;
/** Beside its body. */
const RETRY_BYTES = 260;
/** Messages that come while the others wait. */
const MORE = 5_000;

/** How long one call may keep Redis from everybody else while very many messages wait for another attempt. */
export const waitingRetries: Measure = {
  name: 'waiting retries',
  run: (stage) =>
    inScene(async (scene) => {
      const { growth } = stage.options;
      const consumer = await scene.consumer({ handler: 'fail', concurrency: 256 });
      const producer = await scene.producer();
      const observer = await scene.observer();
      const empty = await scene.probe.usedMemory();
      await producer.saturate(growth);
      await observer.until(0, ({ retrying }) => retrying >= growth);
      const waiting = await scene.probe.usedMemory();
      await scene.probe.timeCalls();
      await consumer.arm(MORE);
      await Promise.all([producer.saturate(MORE), consumer.arrived(), observer.operate(0)]);
      const { ms, command } = await scene.probe.longestCall();
      stage.say(`the longest call with ${growth} waiting retries: ${command}`);
      return [
        row(`longest call with ${growth} waiting retries`, ms, { unit: 'ms', bound: ['<=', LONGEST_MS] }),
        row('memory of a message of 200 bytes that waits for a retry', (waiting - empty) / growth, { unit: 'bytes', bound: ['<=', RETRY_BYTES + 350] }),
      ];
    }),
};
