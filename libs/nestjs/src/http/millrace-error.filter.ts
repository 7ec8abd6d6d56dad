import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import { MillraceError } from '@millrace/core';
import { type Observable, throwError } from 'rxjs';
import { HandlerHost } from '../enhance/handler-host.js';
import { failureText } from '../log/failure-text.js';
import { type Problem, problemOf, SERVER_FAULT, UNAVAILABLE } from './problem.js';

/** The methods of a response that Express and Fastify both have. */
interface Response {
  status(code: number): Response;
  header(name: string, value: string): Response;
  type(type: string): Response;
  send(body: string): unknown;
  /** Fastify's: the response of Node. */
  readonly raw?: NodeResponse;
}

interface NodeResponse {
  readonly headersSent: boolean;
  end(): unknown;
}

const RETRY_AFTER_S = '5';

/**
 * Answers errors of Millrace in an HTTP application, on Express or Fastify, as `application/problem+json` ({@link Problem}):
 * 400 for payloads and options that are not valid, 404 for what is not known, 409 for an idempotency key that was used for
 * another payload, 413 for a payload that is too large, 503 with `Retry-After` for faults that pass by themselves, 500 for the
 * rest. When the fault is not the client's, the body has the code alone, and the rest is logged. The caller of a microservice
 * gets the same as `{ status: 'error', message, code, problems }`. Other errors, and those of Millrace's own handlers, are thrown
 * on.
 *
 * @example app.useGlobalFilters(new MillraceErrorFilter());
 * @example providers: [{ provide: APP_FILTER, useClass: MillraceErrorFilter }]
 */
@Catch(MillraceError)
export class MillraceErrorFilter implements ExceptionFilter {
  readonly #logger = new Logger('Millrace');

  catch(thrown: unknown, host: ArgumentsHost): Observable<never> | undefined {
    const type = host.getType();
    if (host instanceof HandlerHost || !['http', 'rpc'].includes(type)) throw thrown;
    const problem = this.problemOf(thrown);
    this.#log(thrown, problem);
    // Nest's transports would leave a caller without any answer if it were thrown.
    if (type === 'rpc') return throwError(() => rpcError(problem));
    answer(host.switchToHttp().getResponse<Response>(), problem);
    return undefined;
  }

  /** For filters that extend this one. */
  protected problemOf(thrown: unknown): Problem {
    return problemOf(thrown as MillraceError);
  }

  /** Logs an unforeseen error with its stack, and one that will pass in a line. */
  #log(thrown: unknown, { status }: Problem): void {
    if (status < SERVER_FAULT) return;
    const { line, stack } = failureText(thrown);
    if (status === UNAVAILABLE) this.#logger.warn(line);
    else this.#logger.error(line, stack);
  }
}

/** As Nest words the errors of microservices itself. */
function rpcError({ detail, code, problems }: Problem): object {
  return { status: 'error', message: detail, code, ...(problems ? { problems } : {}) };
}

function answer(response: Response, problem: Problem): void {
  const node = response.raw ?? (response as unknown as NodeResponse);
  // A body that is half sent can only be cut off.
  if (node.headersSent) return void node.end();
  if (problem.status === UNAVAILABLE) response.header('Retry-After', RETRY_AFTER_S);
  response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}
