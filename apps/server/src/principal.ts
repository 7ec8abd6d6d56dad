import type { IncomingMessage } from 'node:http';
import type { Role } from '@millrace/admin';

/** The sender of a request, and what they may do. */
export interface Principal {
  /** Stands in the audit stream: 1 to 200 visible characters. */
  readonly name: string;
  /** Their rights as an operator; null: none. */
  readonly role: Role | null;
  /** Whether they may see payloads, keys and headers of messages, and texts of errors. Default false. */
  readonly payloads?: boolean;
  /** Whether they may publish, enqueue and call. Default false. */
  readonly send?: boolean;
}

/** Tells who sends a request, by its headers; null: somebody unknown, who is answered 401. It gets the request of Node. */
export type Authorize = (request: IncomingMessage) => Principal | null | Promise<Principal | null>;

const LOOPBACK_ADDRESS = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;
const LOOPBACK_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/**
 * Lets everyone on this machine do everything. The name in the request must be one of this machine, too: a browser would send
 * the name of a foreign site that has got the address 127.0.0.1.
 */
export function everyoneHere({ socket, headers }: IncomingMessage): Principal | null {
  const isHere = LOOPBACK_ADDRESS.test(socket.remoteAddress ?? '') && LOOPBACK_HOST.test(headers.host ?? '');
  return isHere ? allRights('local') : null;
}

export function allRights(name: string): Principal {
  return { name, role: 'admin', payloads: true, send: true };
}

export function hasAllRights({ role, payloads, send }: Principal): boolean {
  return role === 'admin' && payloads === true && send === true;
}
