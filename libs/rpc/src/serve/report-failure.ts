import { emit, errorRecord } from '@millrace/core';
import { MethodFailure } from '../wire/error-answer.js';
import { AnsweredFailure } from './answered-failure.js';
import type { ServedRequest } from './served-request.js';

/** Tells of a method that has failed. One that throws since its signal aborts has not. */
export function reportFailure(request: ServedRequest, thrown: unknown): void {
  const { id, service, version, method, caller, frame: { isOneWay } } = request;
  if (request.isAbandoned || request.isInterrupted || (request.isCancelled && !isOneWay)) return;
  const isWrapped = thrown instanceof MethodFailure || thrown instanceof AnsweredFailure;
  const error = errorRecord(isWrapped ? thrown.cause : thrown);
  const isReported = thrown instanceof AnsweredFailure && thrown.isReported;
  emit('call-failed', { service, version, method, caller, requestId: id, isOneWay, isReported, error });
}
