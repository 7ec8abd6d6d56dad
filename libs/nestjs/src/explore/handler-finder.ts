import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { carryMetadata } from '../declare/carry-metadata.js';
import { declaredMethods, type HandlerDeclaration } from '../declare/handler-declaration.js';
import type { HandlerMethod } from './handler-method.js';

export interface FoundHandler {
  readonly method: HandlerMethod;
  readonly declaration: HandlerDeclaration;
  /** The prototype that the method was decorated on. */
  readonly owner: object;
}

type Host = Omit<HandlerMethod, 'name'>;
type Wrapper = HandlerMethod['wrapper'];
/** The instances of a class; at least one. */
type Wrappers = [Wrapper, ...Wrapper[]];

/** Finds the decorated methods of an application's providers and controllers. */
@Injectable()
export class HandlerFinder {
  readonly #discovery: DiscoveryService;

  constructor(discovery: DiscoveryService) {
    this.#discovery = discovery;
  }

  /**
   * A class that is provided several times (by two modules, under two tokens) handles for its groups and queues once, through
   * its first instance, and broadcasts with each instance. Aliases are no providers of their own. The instance of a
   * request-scoped factory does not exist yet, so it is not found.
   */
  find(): FoundHandler[] {
    return [...this.instances()].flatMap(([type, [first, ...others]]) => {
      const singletons = others.filter(isSingleton).flatMap((wrapper) => handlersOf({ wrapper, type }));
      return [...handlersOf({ wrapper: first, type }), ...singletons.filter(isBroadcast)];
    });
  }

  /** The wrappers around the instances of each class, in the order of Nest; one instance under two tokens is one. */
  instances(): Map<HandlerMethod['type'], Wrappers> {
    const found = new Map<HandlerMethod['type'], Wrappers>();
    for (const wrapper of this.hosts()) {
      const type = classOf(wrapper);
      if (!type) continue;
      const known = found.get(type);
      if (!known) found.set(type, [wrapper]);
      else if (!known.some(({ instance }) => instance === wrapper.instance)) known.push(wrapper);
    }
    return found;
  }

  /** Every provider and controller that is no alias. */
  hosts(): Wrapper[] {
    const wrappers = [...this.#discovery.getProviders(), ...this.#discovery.getControllers()];
    return wrappers.filter((wrapper): wrapper is Wrapper => !wrapper.isAlias && wrapper.host !== undefined);
  }
}

function handlersOf({ wrapper, type }: Host): FoundHandler[] {
  return declaredMethods(type.prototype).flatMap(({ name, owner, declarations, written }) => {
    carryMetadata(written, Object.getOwnPropertyDescriptor(owner, name)?.value);
    return declarations.map((declaration) => ({ method: { wrapper, type, name }, declaration, owner }));
  });
}

function isBroadcast({ declaration }: FoundHandler): boolean {
  return declaration.kind === 'subscribe-broadcast';
}

/** Whether a class has one instance, whoever asks for it. */
export function isSingleton(wrapper: Wrapper): boolean {
  return wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
}

/** The class that a wrapper holds; for values and the results of factories, that of the instance. */
export function classOf(wrapper: InstanceWrapper): HandlerMethod['type'] | null {
  if (!wrapper.isNotMetatype) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (instance === null || typeof instance !== 'object') return null;
  const prototype = Object.getPrototypeOf(instance) as { constructor?: unknown } | null;
  if (prototype === null || prototype === Object.prototype || typeof prototype.constructor !== 'function') return null;
  return prototype.constructor;
}
