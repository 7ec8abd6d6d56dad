import { createParamDecorator, type ExecutionContext } from '@nestjs/common';

/** What a handler uses of an HTTP request and its response, beside path and body. */
export interface HttpExchange {
  readonly headers: Readonly<Record<string, unknown>>;
  /** Answers with this status in place of the declared one. */
  readonly status: (code: number) => void;
}

interface Response {
  status(code: number): unknown;
}

export const Exchange = createParamDecorator((_: unknown, context: ExecutionContext): HttpExchange => {
  const http = context.switchToHttp();
  const response = http.getResponse<Response>();
  return { headers: http.getRequest<HttpExchange>().headers, status: (code) => void response.status(code) };
});
