import type { ApplicationConfig } from '@nestjs/core';
import { ExternalExceptionFilterContext } from '@nestjs/core/exceptions/external-exception-filter-context.js';
import { ExternalContextCreator } from '@nestjs/core/helpers/external-context-creator.js';
import type { NestContainer } from '@nestjs/core/injector/container.js';
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
  /** Of the module that holds the handler. */
  readonly moduleKey: string;
}

/** Nest's own way to put guards, pipes and interceptors around a method, for handlers of messages and jobs. */
export class HandlerContextCreator extends ExternalContextCreator {
  readonly #moduleKey: string;

  constructor({ container, globals, moduleKey }: ContextCreatorParts) {
    super(
      new GuardsContextCreator(container, globals),
      new GuardsConsumer(),
      new InterceptorsContextCreator(container, globals),
      new InterceptorsConsumer(),
      container.getModules(),
      new PipesContextCreator(container, globals),
      new PipesConsumer(),
      new ExternalExceptionFilterContext(container, globals),
    );
    this.#moduleKey = moduleKey;
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
