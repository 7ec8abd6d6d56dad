import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
} from '@nestjs/common/internal';
import { MillraceError } from '@millrace/core';
import { type HandlerMethod, labelOf } from '../explore/handler-method.js';

const KINDS = {
  guard: GUARDS_METADATA,
  pipe: PIPES_METADATA,
  interceptor: INTERCEPTORS_METADATA,
  filter: EXCEPTION_FILTERS_METADATA,
};

/**
 * Nest makes the guards of a class when the class itself is a provider or controller, and passes over those that it did not
 * make: a guard on an instance that a factory returned, or on a method that was replaced later, would be skipped in silence.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertEnhancersResolve(method: HandlerMethod): void {
  for (const [kind, key] of Object.entries(KINDS)) {
    const callback = Reflect.get(method.type.prototype, method.name) as object;
    const classes = [...writtenOn(key, method.type), ...writtenOn(key, callback)].filter((item) => typeof item === 'function');
    const missing = classes.find((enhancer) => !method.wrapper.host.injectables.has(enhancer));
    if (missing) throw unresolvable(method, kind, missing.name);
  }
}

function writtenOn(key: string, target: object): unknown[] {
  return (Reflect.getMetadata(key, target) as unknown[] | undefined) ?? [];
}

function unresolvable(method: HandlerMethod, kind: string, name: string): MillraceError {
  const what = `The ${kind} ${name} of ${labelOf(method)} would not run: `;
  const why = method.wrapper.isNotMetatype
    ? `Nest makes it only for classes that are providers themselves, and ${method.type.name} comes from useFactory or useValue. Provide the class`
    : 'the method was replaced by another function, on which Nest has not seen it. Replace it where the class is declared';
  return new MillraceError('INVALID_OPTIONS', `${what}${why}, or give the ${kind} as an instance.`);
}
