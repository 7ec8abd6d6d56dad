import { asError } from '@millrace/core';
import { row } from '../report/row.js';
import type { Measure } from './measure.js';
import type { Call } from './redis-probe.js';
import { inScene } from './scene.js';
import type { Stage } from '../stage.js';

const LONGEST_MS = 5;
/** The bytes of a message beside its body. */
const RETRY_BYTES = 260;
/** A message of 200 bytes with its envelope, in a stream. */
const BODY_BYTES = 350;
/** Messages that come while the others wait. */
const MORE = 5_000;

/** How long one call may keep Redis from everybody else while very many messages wait for another attempt. */
export const waitingRetries: Measure = {
  name: 'waiting retries',
  seconds: 120,
  async *run(stage) {
    const { growth } = stage.options;
    const { bytes, longest } = await whileTheyWait(stage);
    yield row('memory of a message of 200 bytes that waits for a retry', bytes, { unit: 'bytes', bound: ['<=', RETRY_BYTES + BODY_BYTES] });
    if (longest instanceof Error) throw longest;
    stage.say(`the longest call with ${growth} waiting retries: ${longest.command}`);
    yield row(`longest call with ${growth} waiting retries`, longest.ms, { unit: 'ms', bound: ['<=', LONGEST_MS] });
  },
};

interface Waiting {
  readonly bytes: number;
  /** The error when an operator was refused: the memory is known all the same. */
  readonly longest: Call | Error;
}

function whileTheyWait(stage: Stage): Promise<Waiting> {
  return inScene(stage, async (scene) => {
    const { growth } = stage.options;
    const consumer = await scene.consumer({ handler: 'fail', concurrency: 256 });
    const producer = await scene.producer();
    const observer = await scene.observer();
    const empty = await scene.probe.usedMemory();
    await producer.saturate(growth);
    await observer.until(0, ({ retrying }) => retrying >= growth);
    const bytes = ((await scene.probe.usedMemory()) - empty) / growth;
    await scene.probe.timeCalls();
    await consumer.arm(MORE);
    const busy = Promise.all([producer.saturate(MORE), consumer.arrived(), observer.operate(0)]);
    return { bytes, longest: await busy.then(() => scene.probe.longestCall(), (error: unknown) => asError(error)) };
  });
}
