import type { EventMap } from '@millrace/core';
import {
  attemptLine, backoffLine, callLine, checkLine, fencedLine, givenUpCallLine, hookLine, kindOf, moreCallsLine, moreLine,
  outboxLine, overdueLine, resultLine,
} from './event-lines.js';
import type { LogFields } from './json-logger.js';
import type { Failure } from './repetitions.js';

export function attemptFailure(event: EventMap['attempt-failed']): Failure {
  const { outcome, error } = event;
  const what = outcome === 'retry' ? 'an attempt failed and is retried' : 'an attempt failed and was the last';
  return {
    level: outcome === 'retry' ? 'warn' : 'error',
    place: kindOf(event),
    end: outcome,
    line: () => attemptLine(event),
    error,
    fields: fieldsOf(event),
    more: (count) => moreLine(event, what, count),
  };
}

function fieldsOf({ error: { code, name }, ...place }: EventMap['attempt-failed']): LogFields {
  const { topic, group, partition, queue, messageId, attempt, traceId, outcome, delayMs } = place;
  return { topic, group, partition, queue, messageId, attempt, traceId, outcome, delayMs, errorCode: code ?? name };
}

export function callFailure(event: EventMap['call-failed']): Failure {
  const { service, version, method, isOneWay, error } = event;
  return {
    level: isOneWay ? 'error' : 'warn',
    place: [service, version, method].join('/'),
    end: 'call',
    line: () => callLine(event),
    error,
    more: (count) => moreCallsLine(event, count),
  };
}

export function hookFailure(event: EventMap['hook-failed']): Failure {
  const { outcome, error } = event;
  return {
    level: outcome === 'retry' ? 'warn' : 'error',
    place: kindOf(event),
    end: `hook ${outcome}`,
    line: () => hookLine(event),
    error,
    more: (count) => moreLine(event, 'telling of a dead letter failed', count),
  };
}

export function checkFailure(event: EventMap['check-failed']): Failure {
  const { error } = event;
  const more = (count: number): string => moreLine(event, 'a check of a half message failed', count);
  return { level: 'warn', place: kindOf(event), end: 'check', line: () => checkLine(event), error, more };
}

export function backoffFailure(event: EventMap['backoff-failed']): Failure {
  const { error } = event;
  const more = (count: number): string => moreLine({ ...event, messageId: 'a message' }, 'the custom back-off failed', count);
  return { level: 'error', place: kindOf(event), end: 'backoff', line: () => backoffLine(event), error, more };
}

export function fencedFailure(event: EventMap['fenced']): Failure {
  const more = (count: number): string => moreLine(event, 'a message was settled too late', count);
  return { level: 'warn', place: kindOf(event), end: 'fenced', line: () => fencedLine(event), more };
}

export function givenUpCallFailure(event: EventMap['call-given-up']): Failure {
  const { service, version, method, error } = event;
  const place = `${service}/${version}/${method}`;
  const more = (count: number): string => `${givenUpCallLine(event)} (${count} more times in the same way)`;
  return { level: 'warn', place, end: 'call', line: () => givenUpCallLine(event), error, more };
}

export function overdueFailure(event: EventMap['call-overdue']): Failure {
  const { service, version, method } = event;
  const more = (count: number): string => `${overdueLine(event)} (${count} more times in the same way)`;
  return { level: 'warn', place: `${service}/${version}/${method}`, end: 'overdue', line: () => overdueLine(event), more };
}

export function resultFailure(event: EventMap['result-dropped']): Failure {
  const { error } = event;
  const more = (count: number): string => moreLine(event, 'the return value of a job is not stored', count);
  return { level: 'warn', place: kindOf(event), end: 'result', line: () => resultLine(event), error, more };
}

export function outboxFailure(event: EventMap['outbox-failed']): Failure {
  const { outcome, error } = event;
  const what = outcome === 'retry' ? 'a row of the outbox was not published and is tried again' : 'a row of the outbox is dead';
  return {
    level: outcome === 'retry' ? 'warn' : 'error',
    place: kindOf(event),
    end: `outbox ${outcome}`,
    line: () => outboxLine(event),
    error,
    more: (count) => moreLine(event, what, count),
  };
}
