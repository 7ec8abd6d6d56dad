import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { type ErrorCode, isMillraceError, type MillraceError } from '@millrace/nestjs';

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

/** Answers every error as `application/problem+json`. What is not meant for clients is logged and answered as 500. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger = new Logger('Millrace');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const problem = this.#problemOf(thrown);
    host.switchToHttp().getResponse<Response>().status(problem.status).type('application/problem+json').json(problem);
  }

  #problemOf(thrown: unknown): Problem {
    if (isMillraceError(thrown)) return ofMillrace(thrown);
    if (thrown instanceof HttpException) return ofHttp(thrown.getStatus(), thrown.message);
    const status = (thrown as { status?: unknown } | null)?.status;
    // Express's body parser throws errors of its own, with the status that they mean.
    if (typeof status === 'number' && status >= 400 && status < 500) return ofHttp(status, (thrown as Error).message);
    this.#logger.error(thrown instanceof Error ? thrown.stack : String(thrown));
    return ofHttp(500, undefined);
  }
}

function ofMillrace(error: MillraceError): Problem {
  const [title = error.code] = error.message.split('\n');
  const problems = error.problems.length > 0 ? { problems: error.problems } : {};
  return { status: STATUS[error.code] ?? 500, title, code: error.code, ...problems };
}

function ofHttp(status: number, detail: string | undefined): Problem {
  return { status, title: detail ?? 'The server failed; its log says why.', code: `HTTP_${status}` };
}
