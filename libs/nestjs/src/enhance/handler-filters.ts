import type { ArgumentsHost } from '@nestjs/common';
import { EXCEPTION_FILTERS_METADATA, selectExceptionFilterMetadata } from '@nestjs/common/internal';
import type { ApplicationConfig } from '@nestjs/core';
import type { NestContainer } from '@nestjs/core/injector/container.js';
import type { ContextId } from '@nestjs/core/injector/instance-wrapper.js';
import { BaseExceptionFilterContext } from '@nestjs/core/internal';
import { DeadLetter, Discard, RetryLater } from '@millrace/core';
import { isObservable, lastValueFrom } from 'rxjs';

/** A filter as Nest holds it. */
interface Filter {
  readonly func: (thrown: unknown, host: ArgumentsHost) => unknown;
  readonly exceptionMetatypes: (abstract new (...args: never[]) => unknown)[];
}

export interface FilteredMethod {
  readonly instance: object;
  readonly callback: (...args: unknown[]) => unknown;
  readonly moduleKey: string;
  readonly contextId: ContextId;
  readonly inquirerId: string;
}

/**
 * The exception filters of a handler. Nest's own for such handlers logs what no filter catches, and takes a filter that
 * returns nothing for one that did not handle; here a filter that does not throw has handled the failure.
 */
export class HandlerFilters extends BaseExceptionFilterContext {
  readonly #globals: ApplicationConfig | undefined;

  constructor(container: NestContainer, globals: ApplicationConfig | undefined) {
    super(container);
    this.#globals = globals;
  }

  /** The filters of one method, the innermost first. */
  of({ instance, callback, moduleKey, contextId, inquirerId }: FilteredMethod): Filter[] {
    this.moduleContext = moduleKey;
    const place = [EXCEPTION_FILTERS_METADATA, contextId, inquirerId] as const;
    const filters = this.createContext<unknown[], Filter[]>(instance, callback, ...place);
    return filters.reverse();
  }

  override getGlobalMetadata<T extends unknown[]>(): T {
    return (this.#globals?.getGlobalFilters() ?? []) as unknown as T;
  }
}

/** The result of the filter for `thrown`. Without one, and for the outcomes that a handler throws, `thrown` is thrown on. */
export async function filtered(filters: readonly Filter[], thrown: unknown, host: ArgumentsHost): Promise<unknown> {
  const isOutcome = thrown instanceof RetryLater || thrown instanceof DeadLetter || thrown instanceof Discard;
  const filter = isOutcome ? undefined : (selectExceptionFilterMetadata(filters as never, thrown) as Filter | undefined);
  if (!filter) throw thrown;
  const result: unknown = await filter.func(thrown, host);
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}
