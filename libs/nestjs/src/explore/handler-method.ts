import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Module } from '@nestjs/core/injector/module.js';

/** A method of a provider or controller that handles messages or jobs. */
export interface HandlerMethod {
  /** The module that holds the instance; wrappers without one are never explored. */
  readonly wrapper: InstanceWrapper<object> & { readonly host: Module };
  /** The class whose method it is. */
  readonly type: { readonly name: string; readonly prototype: object };
  readonly name: string;
}

/** `Inventory.reserve()`, as errors and logs name it. */
export function labelOf({ type, name }: Pick<HandlerMethod, 'type' | 'name'>): string {
  return `${type.name || 'an anonymous class'}.${name}()`;
}
