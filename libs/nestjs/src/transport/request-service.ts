import { inTrace, type OpenSpan, presentSpans } from '@millrace/core';
import { AnsweredFailure, type Rpc, type RpcRequest, type Serving } from '@millrace/rpc';
import { isObservable } from 'rxjs';
import { AnswerItems, failureOf, unwritable } from './answer-items.js';
import { NO_MESSAGE_HANDLER } from './compat.js';
import type { HandlerBook, RegisteredHandler } from './handler-book.js';
import { MillraceContext } from './millrace-context.js';
import type { Begun } from './processing.js';
import { answerText, requestIn } from './wire.js';

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
  /** See `MillraceServerOptions.answerBufferBytes`. */
  readonly bufferBytes: number;
  readonly book: HandlerBook;
  /** Calls a handler with all that Nest puts around it. */
  readonly answer: (handler: RegisteredHandler, data: unknown, context: MillraceContext) => Promise<Begun>;
}

/** Serves the message patterns of a server; unsubscribing of the caller, and its deadline, end the handler's Observable. */
export function serveRequests({ rpc, service, concurrency, bufferBytes, book, answer }: RequestParts): Promise<Serving> {
  const exact = new Map(book.requests.map((handler) => [handler.route, handler]));
  const answered = async ({ request, handler, data, context, span }: Asked): Promise<Answer> => {
    try {
      const { result, end } = await answer(handler, data, context).catch((error: unknown) => {
        throw unwritable(error);
      });
      const ended = (failure: Error | null): void => {
        end();
        span?.end(thrownIn(failure));
      };
      const { signal } = request;
      if (isObservable(result)) return await new AnswerItems({ values: result, signal, bufferBytes, ended }).begin();
      end();
      const text = textOf(result);
      span?.end();
      return text;
    } catch (error) {
      span?.end(thrownIn(error));
      throw error;
    }
  };
  const stream = async (request: RpcRequest): Promise<Answer> => {
    const { pattern: subject, data, metadata } = requestIn(request.payload);
    const handler = exact.get(subject) ?? book.requestHandler(subject);
    if (handler === null) throw failureOf(NO_MESSAGE_HANDLER);
    const { headers, id: messageId } = request;
    const facts = {
      attempt: 1, key: null, partition: null, offset: null,
      subject, pattern: handler.route, headers, metadata, messageId, signal: () => request.signal,
    };
    const span = presentSpans()?.open({ operation: 'serve', target: service, detail: handler.route, sentIn: [headers] }) ?? null;
    const asked = { request, handler, data, context: new MillraceContext(facts), span };
    return span === null ? inTrace(headers, answered, asked) : span.run(() => answered(asked));
  };
  const methods = new Map([[REQUEST_METHOD, { idempotent: false, stream }]]);
  return rpc.serve({ service, version: REQUEST_VERSION, concurrency, methods });
}

type Answer = AnswerItems | string | null;

interface Asked {
  readonly request: RpcRequest;
  readonly handler: RegisteredHandler;
  readonly data: unknown;
  readonly context: MillraceContext;
  /** Ends with the handler, and with its Observable; null for none. */
  readonly span: OpenSpan | null;
}

function thrownIn(failure: unknown): unknown {
  return failure instanceof AnsweredFailure ? failure.cause : (failure ?? undefined);
}

/** @returns null for a handler that gave nothing, as nothing is what JSON makes of it */
function textOf(value: unknown): string | null {
  if (value === undefined) return null;
  try {
    return answerText({ response: value });
  } catch (error) {
    throw unwritable(error);
  }
}
