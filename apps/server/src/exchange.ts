import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { admittedOf } from './admitted.js';
import { type OptionHeaders, optionHeaders } from './option-headers.js';

/** The parts of an HTTP request and its response that a handler uses beside path and body. */
export interface HttpExchange {
  /** The body as the payload, of a request that the gate has let in. */
  readonly payload: () => unknown;
  /** @throws MillraceError INVALID_OPTIONS */
  readonly options: () => OptionHeaders;
  /** Answers with this status in place of the declared one. */
  readonly status: (code: number) => void;
}

interface Request {
  readonly rawHeaders: readonly string[];
  /** Fastify's: the request of Node. */
  readonly raw?: Pick<Request, 'rawHeaders'>;
}

interface Response {
  status(code: number): unknown;
}

export const Exchange = createParamDecorator((_: unknown, context: ExecutionContext): HttpExchange => {
  const http = context.switchToHttp();
  const response = http.getResponse<Response>();
  const request = http.getRequest<Request>();
  return {
    payload: () => admittedOf(request).body,
    options: () => optionHeaders((request.raw ?? request).rawHeaders),
    status: (code) => void response.status(code),
  };
});
