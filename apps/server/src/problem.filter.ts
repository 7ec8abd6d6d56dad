import { Catch, HttpException } from '@nestjs/common';
import { isMillraceError, type MillraceError, MillraceErrorFilter, type Problem } from '@millrace/nestjs';

/** The routes of the server store one thing or nothing, so these say more than they do elsewhere. */
const NOTHING_STORED = ['REDIS_UNREACHABLE', 'REDIS_FAILED', 'CLOSED'];

const FAILED = 'The server failed; its log says why.';

/** Answers every error of the server as the library answers those of Millrace. */
@Catch()
export class ProblemFilter extends MillraceErrorFilter {
  protected override problemOf(thrown: unknown): Problem {
    if (isMillraceError(thrown)) return this.#ofMillrace(thrown);
    if (thrown instanceof HttpException) return problem(thrown.getStatus(), thrown.message);
    const status = (thrown as { status?: unknown } | null)?.status;
    // Express's body parser throws errors of its own, with the status that they mean.
    if (typeof status === 'number' && status >= 400 && status < 500) return problem(status, (thrown as Error).message);
    return problem(500, FAILED);
  }

  #ofMillrace(error: MillraceError): Problem {
    const told = super.problemOf(error);
    return NOTHING_STORED.includes(error.code) ? { ...told, title: 'Nothing was stored. Send it again later.' } : told;
  }
}

function problem(status: number, title: string): Problem {
  return { status, title, code: `HTTP_${status}` };
}
