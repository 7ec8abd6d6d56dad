import { SetMetadata } from '@nestjs/common';
import { mayAct, type Role } from '@millrace/admin';
import type { Principal } from './principal.js';

/** The right that a route asks for. */
export type Need = Role | 'send';

const NEED = 'millrace:need';

/** Says who may use a route. A route without it is for nobody. */
export function Needs(need: Need): MethodDecorator {
  return SetMetadata(NEED, need);
}

export function needOf(handler: object): Need | undefined {
  return Reflect.getMetadata(NEED, handler) as Need | undefined;
}

/** The right that the principal lacks, in words; null: they may. */
export function lackOf({ role, send }: Principal, need: Need | undefined): string | null {
  if (need === undefined) return 'a right that nobody has';
  if (need === 'send') return send === true ? null : 'the right to send';
  return role !== null && mayAct(role, need) ? null : `the role ${need}`;
}
