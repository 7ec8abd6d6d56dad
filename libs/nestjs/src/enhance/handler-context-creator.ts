import type { ApplicationConfig } from '@nestjs/core';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
import { ExternalContextCreator } from '@nestjs/core/helpers/external-context-creator.js';
import type { NestContainer } from '@nestjs/core/injector/container.js';
import type { ContextId } from '@nestjs/core/injector/instance-wrapper.js';
import {
  GuardsConsumer,
  GuardsContextCreator,
  InterceptorsConsumer,
  InterceptorsContextCreator,
  PipesConsumer,
  PipesContextCreator,
} from '@nestjs/core/internal';
import { isObservable, lastValueFrom } from 'rxjs';

export interface ContextCreatorParts {
  readonly container: NestContainer;
  /** Holds the global enhancers; undefined leaves them out. */
  readonly globals: ApplicationConfig | undefined;
  /** The id of the module that holds the handler. */
  readonly moduleKey: string;
}

interface HostIds {
  readonly contextId: ContextId;
  readonly inquirerId: string;
}

/** Nest's own way to put guards, pipes and interceptors around a method, for handlers of messages and jobs. */
export class HandlerContextCreator extends ExternalContextCreator {
  readonly #moduleKey: string;
  readonly #guards: GuardsContextCreator;
  readonly #interceptors: InterceptorsContextCreator;
  readonly #pipes: PipesContextCreator;

  constructor({ container, globals, moduleKey }: ContextCreatorParts) {
    const guards = new GuardsContextCreator(container, globals);
    const interceptors = new InterceptorsContextCreator(container, globals);
    const pipes = new PipesContextCreator(container, globals);
    super(
      guards,
      new GuardsConsumer(),
      interceptors,
      new InterceptorsConsumer(),
      container.getModules(),
      pipes,
      new PipesConsumer(),
      new ExternalExceptionFilterContext(container, globals),
    );
    this.#moduleKey = moduleKey;
    this.#guards = guards;
    this.#interceptors = interceptors;
    this.#pipes = pipes;
  }

  /** Whether nothing surrounds the method, so that it can be called directly. */
  isBare(instance: object, callback: (...args: unknown[]) => unknown, { contextId, inquirerId }: HostIds): boolean {
    const place = [instance, callback, this.#moduleKey, contextId, inquirerId] as const;
    const creators = [this.#guards, this.#interceptors, this.#pipes];
    return creators.every((creator) => creator.create(...place).length === 0);
  }

  /** Nest looks among providers only: the guards of a controller would not be found, and skipped. */
  override getContextModuleKey(): string {
    return this.#moduleKey;
  }

  /** An Observable without values, such as that of an interceptor that skips the handler, is a result too. */
  override transformToResult(result: unknown): Promise<unknown> {
    return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : Promise.resolve(result);
  }
}
