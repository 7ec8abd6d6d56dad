import { checkPipeline, type PayloadClass, type TransactionCheckContext, type TransactionChecks, topicOf } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { Process } from '../fixture.js';

type Check = (payload: never, context: TransactionCheckContext) => unknown;

/** Checks the half messages of a topic in a process, as a user's handler does. */
export function check(
  process: Pick<Process<Topology>, 'streams'>, type: PayloadClass, handle: Check, { timeoutMs = 10_000, concurrency = 10 } = {},
): Promise<TransactionChecks> {
  const topic = topicOf(type);
  const call = async (payload: object, context: TransactionCheckContext): Promise<unknown> => handle(payload as never, context);
  return process.streams.checkHalves({ topic, concurrency, timeoutMs }, checkPipeline({ topic, timeoutMs, handle: call }));
}
