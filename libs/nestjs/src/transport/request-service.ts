import { inTrace } from '@millrace/core';
import type { Rpc, RpcRequest, Serving } from '@millrace/rpc';
import { throwError, type Observable } from 'rxjs';
import { AnswerItems } from './answer-items.js';
import { NO_MESSAGE_HANDLER } from './compat.js';
import type { HandlerBook, RegisteredHandler } from './handler-book.js';
import { MillraceContext } from './millrace-context.js';
import { requestIn } from './wire.js';

/**
 * The one method of the service of a server. The pattern is part of the request: instances of a service must have the same
 * methods, and a method for each pattern would keep a new pattern from being rolled out.
 */
export const REQUEST_METHOD = 'handle';
export const REQUEST_VERSION = '1';

export interface RequestParts {
  readonly rpc: Rpc;
  readonly service: string;
  readonly concurrency: number;
  readonly book: HandlerBook;
  /** Calls a handler with all that Nest puts around it, when the values are subscribed to. */
  readonly answer: (handler: RegisteredHandler, data: unknown, context: MillraceContext) => Observable<unknown>;
}

/** Serves the message patterns of a server; unsubscribing of the caller, and its deadline, end the handler's Observable. */
export function serveRequests({ rpc, service, concurrency, book, answer }: RequestParts): Promise<Serving> {
  const valuesOf = (request: RpcRequest): Observable<unknown> => {
    const { pattern: subject, data, metadata } = requestIn(request.payload);
    const handler = book.requestHandler(subject);
    if (handler === null) return throwError(() => NO_MESSAGE_HANDLER);
    const { headers, id: messageId } = request;
    const place = { attempt: 1, key: null, partition: null, offset: null };
    const facts = { ...place, subject, pattern: handler.route, headers, metadata, messageId, signal: () => request.signal };
    return answer(handler, data, new MillraceContext(facts));
  };
  const stream = (request: RpcRequest): AsyncIterable<string> => new AnswerItems(inTrace(request.headers, valuesOf, request));
  const methods = new Map([[REQUEST_METHOD, { idempotent: false, stream }]]);
  return rpc.serve({ service, version: REQUEST_VERSION, concurrency, methods });
}
