import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { declarationsOf, type HandlerDeclaration } from '../declare/handler-declaration.js';
import type { HandlerMethod } from './handler-method.js';

export interface FoundHandler {
  readonly method: HandlerMethod;
  readonly declaration: HandlerDeclaration;
}

/** Finds the decorated methods of an application's providers and controllers. */
@Injectable()
export class HandlerFinder {
  readonly #discovery: DiscoveryService;
  readonly #scanner: MetadataScanner;

  constructor(discovery: DiscoveryService, scanner: MetadataScanner) {
    this.#discovery = discovery;
    this.#scanner = scanner;
  }

  /**
   * A class that is provided several times (by two modules, under two tokens) handles once, through its first instance;
   * aliases are no providers of their own. What a request-scoped factory makes is not there to be looked at.
   */
  find(): FoundHandler[] {
    const seen = new Set<unknown>();
    return this.hosts().flatMap((wrapper) => {
      const type = classOf(wrapper);
      if (!type || seen.has(type)) return [];
      seen.add(type);
      return this.#handlersOf({ wrapper, type });
    });
  }

  /** Every provider and controller that is no alias. */
  hosts(): HandlerMethod['wrapper'][] {
    const wrappers = [...this.#discovery.getProviders(), ...this.#discovery.getControllers()];
    return wrappers.filter((wrapper): wrapper is HandlerMethod['wrapper'] => !wrapper.isAlias && wrapper.host !== undefined);
  }

  #handlersOf(host: Omit<HandlerMethod, 'name'>): FoundHandler[] {
    const { prototype } = host.type;
    return this.#scanner.getAllMethodNames(prototype).flatMap((name) => {
      const method = { ...host, name };
      return declarationsOf(Reflect.get(prototype, name)).map((declaration) => ({ method, declaration }));
    });
  }
}

/** The class of what a wrapper holds: of values and of what factories made, that of the instance. */
export function classOf(wrapper: InstanceWrapper): HandlerMethod['type'] | null {
  if (!wrapper.isNotMetatype) return wrapper.metatype;
  const instance: unknown = wrapper.instance;
  if (instance === null || typeof instance !== 'object') return null;
  const prototype = Object.getPrototypeOf(instance) as { constructor?: unknown } | null;
  if (prototype === null || prototype === Object.prototype || typeof prototype.constructor !== 'function') return null;
  return prototype.constructor;
}
