import { Catch, HttpException } from '@nestjs/common';
import { httpProblem, isMillraceError, MillraceErrorFilter, type Problem } from '@millrace/nestjs';

const FAILED = 'The server failed; its log says why.';

/** Answers every error of the server as the library answers those of Millrace. */
@Catch()
export class ProblemFilter extends MillraceErrorFilter {
  protected override problemOf(thrown: unknown): Problem {
    if (isMillraceError(thrown)) return super.problemOf(thrown);
    if (thrown instanceof HttpException) return problem(thrown.getStatus(), thrown.message);
    const status = (thrown as { status?: unknown } | null)?.status;
    // Express's body parser throws errors of its own, with the status that they mean.
    if (typeof status === 'number' && status >= 400 && status < 500) return problem(status, (thrown as Error).message);
    return problem(500, FAILED);
  }
}

function problem(status: number, detail: string): Problem {
  return httpProblem({ status, detail, code: `HTTP_${status}` });
}
