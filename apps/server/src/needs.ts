import { SetMetadata } from '@nestjs/common';
import { mayAct, type Role } from '@millrace/admin';
import type { Principal } from './principal.js';

/** The right that a route asks for. */
export type Need = Role | 'send';

const NEEDS = 'millrace:needs';

/** Says who may use a route: those who have each of these rights. A route without it is for nobody. */
export function Needs(...needs: readonly Need[]): MethodDecorator {
  return SetMetadata(NEEDS, needs);
}

export function needsOf(handler: object): readonly Need[] | undefined {
  return Reflect.getMetadata(NEEDS, handler) as readonly Need[] | undefined;
}

/** A right that the principal lacks, in words; null: they may. */
export function lackOf(principal: Principal, needs: readonly Need[] | undefined): string | null {
  if (needs === undefined) return 'a right that nobody has';
  const lacking = needs.find((need) => !has(principal, need));
  if (lacking === undefined) return null;
  return lacking === 'send' ? 'the right to send' : `the role ${lacking}`;
}

function has({ role, send }: Principal, need: Need): boolean {
  return need === 'send' ? send === true : role !== null && mayAct(role, need);
}
