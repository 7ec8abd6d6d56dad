import { asError, emit, errorRecord, isMillraceError, newMessageId, spread } from '@millrace/core';
import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcCircuitOpenError, RpcTimeoutError } from '../errors.js';
import type { FailureRule } from './client-rules.js';
import type { Outbound, Policy } from './outbound.js';

/** About how long to wait before the same instances are tried again, twice as long each time. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Makes a call again that failed, where it cannot have run or its method is idempotent. All attempts have the same request id,
 * and one deadline. An instance at which it failed is not chosen again.
 */
export function failingOver({ retries, attemptTimeoutMs }: FailureRule): Policy {
  return (next) => async (outbound) => {
    outbound.call = named(outbound.call);
    const mostMs = mostOf(outbound.call, attemptTimeoutMs);
    let pauseMs = FIRST_PAUSE_MS;
    for (let failures = 0; ; failures += 1) {
      if (failures > 0 || mostMs !== undefined) outbound.shorten(mostMs);
      outbound.target = null;
      try {
        return await next(outbound);
      } catch (error) {
        if (failures === retries || !mayRepeat(error, outbound.call)) throw told(error, outbound);
        if (!cannotHaveRun(error)) outbound.doubt = error;
        const waitMs = setAside(outbound) ? 0 : Math.max(spread(pauseMs), untilRetry(error));
        if (waitMs >= outbound.remainingMs) throw told(error, outbound);
        if (waitMs > 0) {
          await outbound.wait(null, waitMs);
          pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
        }
      }
    }
  };
}

/** A call that cannot be made again once it may have run would only lose its answer if its attempt were ended early. */
function mostOf({ idempotent }: OutgoingCall, attemptTimeoutMs: number | null): number | undefined {
  return idempotent ? (attemptTimeoutMs ?? undefined) : undefined;
}

/** That an attempt was not sent says nothing of those before it. */
function told(error: unknown, { doubt }: Outbound): unknown {
  return doubt !== null && cannotHaveRun(error) ? doubt : error;
}

/** Lets a call resolve that failed: an event has the error. */
export function failingSafe(): Policy {
  return (next) => (outbound) => next(outbound).catch((thrown: unknown) => {
    const { service, version, method } = outbound.call;
    emit('call-given-up', { service, version, method, error: errorRecord(asError(thrown)) });
    return null;
  });
}

/** It was not sent, or not begun: whoever sends it again executes it once. */
const NOT_RUN: ReadonlySet<string> = new Set(['NO_INSTANCE', 'BACK_PRESSURE', 'CIRCUIT_OPEN']);
const MAY_HAVE_RUN: ReadonlySet<string> = new Set(['CALL_TIMEOUT', 'CALL_INDEFINITE']);

/** The ledger of the method knows a request by its id, so that it is executed once however often it is sent. */
function named(call: OutgoingCall): OutgoingCall {
  return call.idempotent && call.requestId === undefined ? { ...call, requestId: newMessageId() } : call;
}

function mayRepeat(error: unknown, { idempotent, signal }: OutgoingCall): boolean {
  if (!isMillraceError(error) || signal?.aborted) return false;
  if (cannotHaveRun(error)) return true;
  return idempotent && (error.retryable || MAY_HAVE_RUN.has(error.code));
}

function cannotHaveRun(error: unknown): boolean {
  return isMillraceError(error) && (NOT_RUN.has(error.code) || (error instanceof RpcTimeoutError && !error.mayHaveRun));
}

/** @returns whether another instance may be chosen now */
function setAside(outbound: Outbound): boolean {
  const { target, named } = outbound;
  if (target === null || named !== undefined) return false;
  outbound.tried ??= new Set();
  outbound.tried.add(target);
  return true;
}

function untilRetry(error: unknown): number {
  return error instanceof RpcCircuitOpenError ? error.retryAtMs - Date.now() : 0;
}
