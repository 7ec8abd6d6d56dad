import { type ErrorCode, eventChannel } from '@millrace/core';
import type { OutgoingCall } from './outgoing-call.js';

const CALLED = eventChannel('called');

/** Whether anybody wants to know of calls that ended. */
export function isCalledHeard(): boolean {
  return CALLED.hasSubscribers;
}

/** Tells observers of a call that is settled for its caller. */
export function tellCalled({ service, version, method }: OutgoingCall, code: ErrorCode | null, durationMs: number): void {
  CALLED.publish({ service, version, method, code, durationMs });
}
