import type { SpanFacts } from '@millrace/core';
import * as conventions from './semantic-conventions.js';

/** The name of a span, and its attributes, by the conventions. */
export interface SpanShape {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

const CALLS: ReadonlySet<SpanFacts['operation']> = new Set(['call', 'serve']);

export const SETTLES: ReadonlySet<SpanFacts['operation']> = new Set(['ack', 'retry', 'dead_letter']);

/** @param server null where it is not known */
export function shapeOf(facts: SpanFacts, server: conventions.ServerAddress | null): SpanShape {
  return CALLS.has(facts.operation) ? shapeOfCall(facts) : shapeOfMessage(facts, server);
}

function shapeOfCall({ target, detail = '' }: SpanFacts): SpanShape {
  const method = `${target}/${detail}`;
  const attributes = { [conventions.RPC_SYSTEM_NAME]: conventions.CALLS_SYSTEM, [conventions.RPC_METHOD]: method };
  return { name: method, attributes };
}

function shapeOfMessage(facts: SpanFacts, server: conventions.ServerAddress | null): SpanShape {
  const { operation, target, detail, group, partition, messageId, attempt, isDeadLetter, sentIn = [] } = facts;
  const attributes = {
    ...conventions.attributesOf(server),
    [conventions.MESSAGING_SYSTEM]: detail === undefined ? conventions.STREAMS_SYSTEM : conventions.JOBS_SYSTEM,
    [conventions.MESSAGING_OPERATION_NAME]: operation,
    [conventions.MESSAGING_OPERATION_TYPE]: typeOf(operation),
    [conventions.MESSAGING_DESTINATION_NAME]: target,
    [conventions.MILLRACE_JOB]: detail,
    [conventions.MESSAGING_CONSUMER_GROUP_NAME]: group,
    [conventions.MESSAGING_DESTINATION_PARTITION_ID]: partition === undefined ? undefined : String(partition),
    [conventions.MESSAGING_MESSAGE_ID]: messageId,
    [conventions.MILLRACE_ATTEMPT]: attempt,
    [conventions.MILLRACE_DEAD_LETTER]: isDeadLetter,
    [conventions.MESSAGING_BATCH_MESSAGE_COUNT]: sentIn.length > 1 ? sentIn.length : undefined,
  };
  return { name: `${operation} ${target}`, attributes: given(attributes) };
}

function typeOf(operation: SpanFacts['operation']): string {
  if (operation === 'process') return 'process';
  return SETTLES.has(operation) ? 'settle' : 'send';
}

type Value = string | number | boolean;

function given(attributes: Record<string, Value | undefined>): Record<string, Value> {
  const known = Object.entries(attributes).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  return Object.fromEntries(known);
}
