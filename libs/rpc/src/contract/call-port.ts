import type { OutgoingCall } from '../call/outgoing-call.js';

/** Calls services: in other processes, or a local implementation. */
export interface CallPort {
  /**
   * @returns the JSON text of the answer; null for none
   * @throws RpcTimeoutError, RpcNoInstanceError, RpcCancelledError, RpcIndefiniteError, RpcRemoteError, MillraceError
   */
  call(call: OutgoingCall): Promise<string | null>;
  /** @returns the JSON texts of the items; nothing happens before the first is asked for. It throws as {@link call} does */
  stream(call: OutgoingCall): AsyncIterable<string>;
}
