import type { OutgoingCall } from '../call/outgoing-call.js';
import type { ResultWait, StartedCall } from '../handle/handles.js';
import type { RegistryView } from '../registry/registry-view.js';
import type { CallPort } from '../contract/call-port.js';

/** Calls over Redis, as far as they are more than a request and its answer. See `Rpc`. */
export interface RemotePort extends CallPort {
  readonly instances: Pick<RegistryView, 'use' | 'instances'>;
  start(call: OutgoingCall, id?: string): Promise<string>;
  result(started: StartedCall, wait: ResultWait): Promise<string | null>;
  forget(id: string): Promise<void>;
}
