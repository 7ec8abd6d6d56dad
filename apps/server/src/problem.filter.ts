import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { type ErrorCode, isMillraceError, type MillraceError } from '@millrace/nestjs';
import { failureText } from './failure-text.js';

/** What of an Express response is used. */
interface Response {
  status(code: number): Response;
  type(type: string): Response;
  json(body: unknown): unknown;
}

/** RFC 9457. `code` is stable; `problems` lists every single thing that is wrong. */
interface Problem {
  readonly status: number;
  readonly title: string;
  readonly code: string;
  readonly detail?: string;
  readonly problems?: readonly string[];
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  UNKNOWN_TOPIC: 404,
  UNKNOWN_JOB: 404,
  IDEMPOTENCY_MISMATCH: 409,
  PAYLOAD_TOO_LARGE: 413,
  BACK_PRESSURE: 429,
  PUBLISH_INDEFINITE: 503,
  PUBLISH_REFUSED: 503,
  REDIS_UNREACHABLE: 503,
  REDIS_FAILED: 503,
  CLOSED: 503,
  INVALID_PAYLOAD: 400,
  INVALID_OPTIONS: 400,
  INVALID_HEADERS: 400,
  UNKNOWN_MESSAGE_TYPE: 400,
  UNSERIALIZABLE_PAYLOAD: 400,
};

/** What clients are told of failures that are not theirs; the rest, such as what Redis said, is for the log. */
const TITLE: Partial<Record<ErrorCode, string>> = {
  PUBLISH_INDEFINITE: 'It is not known whether it was stored. Send it again with the same Idempotency-Key; without one it may be stored twice.',
  PUBLISH_REFUSED: 'Nothing was stored. Send it again later.',
  REDIS_UNREACHABLE: 'Nothing was stored. Send it again later.',
  REDIS_FAILED: 'Nothing was stored. Send it again later.',
  CLOSED: 'The server is stopping, and nothing was stored. Send it again.',
};

const FAILED = 'The server failed; its log says why.';

/**
 * Answers every error as `application/problem+json`. Of failures that are not the client's it tells the code alone, and the log
 * the rest: what was not foreseen with its stack, what will pass in a line.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Millrace');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const problem = problemOf(thrown);
    this.#log(thrown, problem);
    host.switchToHttp().getResponse<Response>().status(problem.status).type('application/problem+json').json(problem);
  }

  #log(thrown: unknown, { status }: Problem): void {
    if (status < 500) return;
    const { line, stack } = failureText(thrown);
    if (status === 503) this.#logger.warn(line);
    else this.#logger.error(line, stack);
  }
}

function problemOf(thrown: unknown): Problem {
  if (isMillraceError(thrown)) return ofMillrace(thrown);
  if (thrown instanceof HttpException) return ofHttp(thrown.getStatus(), thrown.message);
  const status = (thrown as { status?: unknown } | null)?.status;
  // Express's body parser throws errors of its own, with the status that they mean.
  if (typeof status === 'number' && status >= 400 && status < 500) return ofHttp(status, (thrown as Error).message);
  return ofHttp(500, FAILED);
}

function ofMillrace(error: MillraceError): Problem {
  const status = STATUS[error.code] ?? 500;
  if (status >= 500) return { status, title: TITLE[error.code] ?? FAILED, code: error.code };
  const [title = error.code] = error.message.split('\n');
  const problems = error.problems.length > 0 ? { problems: error.problems } : {};
  return { status, title, code: error.code, ...problems };
}

function ofHttp(status: number, title: string): Problem {
  return { status, title, code: `HTTP_${status}` };
}
