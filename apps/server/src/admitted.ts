import type { IncomingMessage } from 'node:http';
import { InternalServerErrorException } from '@nestjs/common';
import type { Principal } from './principal.js';

/** A request that was let in. */
export interface Admitted {
  readonly principal: Principal;
  readonly query: Readonly<Record<string, string>>;
  /** The value in its JSON body; undefined for a `GET`. */
  readonly body: unknown;
}

const admitted = new WeakMap<object, Admitted>();

export function admit(request: IncomingMessage, parts: Admitted): void {
  admitted.set(request, parts);
}

/** @param request that of Node, Express or Fastify; only one that the gate has let in */
export function admittedOf(request: { readonly raw?: object }): Admitted {
  const parts = admitted.get(request.raw ?? request);
  if (parts) return parts;
  throw new InternalServerErrorException('The gate has not seen this request.');
}
