import { MillraceError } from '@millrace/core';
import { DECORATORS } from '../declare/handler-declaration.js';
import type { FoundHandler } from './handler-finder.js';
import { type HandlerMethod, labelOf } from './handler-method.js';

/**
 * Refuses a decorated method that was replaced: the replacement would never be called, or would be called without its guards.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertNotLost({ method: { type, name }, declaration, owner }: FoundHandler): void {
  const declaring = owner.constructor as HandlerMethod['type'];
  const where = `${DECORATORS[declaration.kind]} on ${labelOf({ type: declaring, name })}`;
  const holder = holderOf(type.prototype, name);
  if (holder !== owner) throw overridden(where, { declaring, name, holder });
  if (typeof Object.getOwnPropertyDescriptor(owner, name)?.value !== 'function') throw noMethod(where);
}

function holderOf(prototype: object, name: string): object | null {
  for (let place: object | null = prototype; place !== null; place = Object.getPrototypeOf(place) as object | null) {
    if (Object.hasOwn(place, name)) return place;
  }
  return null;
}

interface Override {
  readonly declaring: HandlerMethod['type'];
  readonly name: string;
  readonly holder: object | null;
}

function overridden(where: string, { declaring, name, holder }: Override): MillraceError {
  const type = (holder?.constructor ?? declaring) as HandlerMethod['type'];
  if (holder === null) return noMethod(where);
  if (['', declaring.name].includes(type.name)) {
    return lost(where, `a class decorator put a subclass with a ${name}() of its own in its place`, 'Let it replace methods in place, or decorate the method instead.');
  }
  const mend = `Write the decorator above ${labelOf({ type, name })}, too, or give that method another name.`;
  return lost(where, `${labelOf({ type, name })} overrides it and has no decorator`, mend);
}

function noMethod(where: string): MillraceError {
  return lost(where, 'another decorator put something in its place that is no method', 'Remove that decorator: a handler is called on its instance and needs no binding.');
}

function lost(where: string, why: string, mend: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${where} would handle nothing: ${why}. ${mend}`);
}
