import type { OutgoingCall } from '../call/outgoing-call.js';

/** Each part of a call, so that none can be forgotten. */
type EveryPart = { readonly [Part in keyof Required<OutgoingCall>]: OutgoingCall[Part] };

/** The same call to another version or instance. It names each part: to spread the call would cost several times as much. */
export function directed(call: OutgoingCall, version: string, instance: string | undefined): OutgoingCall {
  const { service, method, payloadJson, timeoutMs, idempotent, requestId, headers, signal } = call;
  const { oneWay, window, key, later } = call;
  const copy: EveryPart = {
    service, version, method, payloadJson, timeoutMs, idempotent, requestId, headers, signal, oneWay, window, instance, key,
    later,
  };
  return copy;
}
