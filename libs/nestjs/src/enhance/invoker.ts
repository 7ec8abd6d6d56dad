import { Inject, Injectable } from '@nestjs/common';
import { type ApplicationConfig, ContextIdFactory, ModuleRef } from '@nestjs/core';
import type { NestContainer } from '@nestjs/core/injector/container.js';
import type { ContextId } from '@nestjs/core/injector/instance-wrapper.js';
import { Injector, STATIC_CONTEXT } from '@nestjs/core/internal';
import type { Settings } from '../config/settings.js';
import { carryMetadata } from '../declare/carry-metadata.js';
import { arePlainParameters, HANDLER_PARAMETERS, handlerParameters } from '../declare/handler-parameters.js';
import type { HandlerMethod } from '../explore/handler-method.js';
import { SETTINGS } from '../module/tokens.js';
import { assertNoScopedGlobals } from './global-enhancers.js';
import { HandlerContextCreator } from './handler-context-creator.js';
import { filtered, HandlerFilters } from './handler-filters.js';
import { HandlerHost } from './handler-host.js';
import { isObservable, lastValueFrom } from 'rxjs';

/** Calls a handler with everything that Nest puts around it. */
export type Invoke = (payload: object, context: object) => Promise<unknown>;

type Callback = (...args: unknown[]) => unknown;

type Seen = (result: unknown) => unknown;

const PARTS = { guards: true, interceptors: true, filters: false };

/** Makes handlers callable with their guards, interceptors, pipes and filters, and on an instance of their own when scoped. */
@Injectable()
export class Invoker {
  readonly #modules: ModuleRef;
  readonly #container: NestContainer;
  readonly #globals: ApplicationConfig | undefined;
  readonly #injector = new Injector();

  constructor(modules: ModuleRef, @Inject(SETTINGS) { globalEnhancers }: Settings) {
    this.#modules = modules;
    this.#container = modules['container'];
    this.#globals = globalEnhancers ? this.#container.applicationConfig : undefined;
  }

  /**
   * @param seen gives what Nest and its interceptors are to see of the result of the method. Default: the result
   * @throws MillraceError INVALID_OPTIONS when global enhancers are asked for that cannot be applied
   */
  invokeOf(method: HandlerMethod, seen?: Seen): Invoke {
    assertNoScopedGlobals(this.#globals);
    const { wrapper } = method;
    const surround = this.#surroundOf(method, seen);
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) return surround(wrapper.instance, STATIC_CONTEXT);
    return async (payload, context) => {
      const contextId = this.#contextIdOf(context);
      return surround(await this.#instanceOf(method, contextId), contextId)(payload, context);
    };
  }

  #surroundOf(method: HandlerMethod, seen?: Seen): (instance: object, contextId: ContextId) => Invoke {
    const moduleKey = this.#moduleKeyOf(method);
    const container = this.#container;
    const creator = new HandlerContextCreator({ container, globals: this.#globals, moduleKey });
    const allFilters = new HandlerFilters(container, this.#globals);
    const { name, type, wrapper } = method;
    return (instance, contextId) => {
      const own = Reflect.get(instance, name) as Callback;
      carryMetadata([Reflect.get(type.prototype, name) as Callback], own);
      const callback = seen === undefined ? own : withResult(own, seen);
      const around = [HANDLER_PARAMETERS, handlerParameters, contextId, wrapper.id, PARTS, 'rpc'] as const;
      const isBare = arePlainParameters(type, name) && creator.isBare(instance, callback, { contextId, inquirerId: wrapper.id });
      // Nest's proxy costs as much as a whole delivery, so a method that nothing surrounds is called directly.
      const call: Callback = isBare ? callback.bind(instance) : creator.create(instance, callback, name, ...around);
      const filters = allFilters.of({ instance, callback, moduleKey, contextId, inquirerId: wrapper.id });
      return async (payload, context) => {
        try {
          const result = await call(payload, context);
          return isBare && isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
        } catch (thrown) {
          return filtered(filters, thrown, new HandlerHost([payload, context], method.type, callback));
        }
      };
    };
  }

  /** `@Inject(REQUEST)` gives the context; Nest gives durable providers the payload of the application's strategy. */
  #contextIdOf(context: object): ContextId {
    const contextId = ContextIdFactory.getByRequest(context);
    this.#modules.registerRequestByContextId(context, contextId);
    return contextId;
  }

  #instanceOf({ wrapper }: HandlerMethod, contextId: ContextId): Promise<object> {
    const { host } = wrapper;
    const isController = host.controllers.get(wrapper.token as never) === wrapper;
    const collection = isController ? (host.controllers as typeof host.providers) : host.providers;
    return this.#injector.loadPerContext(wrapper.instance, host, collection, contextId, wrapper);
  }

  #moduleKeyOf({ wrapper }: HandlerMethod): string {
    for (const [key, module] of this.#container.getModules()) if (module === wrapper.host) return key;
    return '';
  }
}

function withResult(own: Callback, seen: Seen): Callback {
  const callback = function (this: unknown, ...args: unknown[]): unknown {
    const result = own.apply(this, args);
    return result instanceof Promise ? result.then(seen) : seen(result);
  };
  carryMetadata([own], callback);
  return callback;
}
