import type { ArgumentsHost } from '@nestjs/common';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { catchError, type Observable, throwError } from 'rxjs';
import { MillraceContext } from './millrace-context.js';

/** The text with which Nest's own servers answer to a pattern that nobody handles. */
export const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';

/** Nest writes these words in the place of a pattern, or of a part of one, that is too large: such patterns would be one. */
export const COLLAPSED = ['[TOO_MANY_KEYS]', '[MAX_DEPTH_REACHED]'] as const;

type Catch = (this: unknown, exception: unknown, host: ArgumentsHost) => Observable<unknown>;

const causes = new WeakMap<object, unknown>();
let isKept = false;

/**
 * Has the exceptions of our handlers remembered: Nest's own filter gives the caller other words for them (`Internal server
 * error`), and so hides whether a message is to be retried, discarded or given up. It changes nothing for other transports.
 */
export function keepCauses(): void {
  if (isKept) return;
  isKept = true;
  const prototype = BaseRpcExceptionFilter.prototype as unknown as { catch: Catch };
  const { catch: original } = prototype;
  prototype.catch = function (exception, host) {
    const answer = original.call(this, exception, host);
    if (!(host.getArgByIndex(1) instanceof MillraceContext)) return answer;
    return answer.pipe(catchError((shown: unknown) => {
      if (typeof shown === 'object' && shown !== null) causes.set(shown, exception);
      return throwError(() => shown);
    }));
  };
}

/** The exception that a handler threw, where Nest's own filter made `shown` of it; else `shown`. */
export function causeOf(shown: unknown): unknown {
  return typeof shown === 'object' && shown !== null && causes.has(shown) ? causes.get(shown) : shown;
}
