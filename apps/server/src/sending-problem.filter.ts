import { Catch } from '@nestjs/common';
import type { Problem } from '@millrace/nestjs';
import { ProblemFilter } from './problem.filter.js';

/** A publish or an enqueue that Redis may have stored fails with another code, PUBLISH_INDEFINITE. */
const NOTHING_STORED = ['REDIS_UNREACHABLE', 'REDIS_FAILED', 'CLOSED'];

/** Answers errors of a route that stores one message or one job: there these codes say that nothing was stored. */
@Catch()
export class SendingProblemFilter extends ProblemFilter {
  protected override problemOf(thrown: unknown): Problem {
    const told = super.problemOf(thrown);
    return NOTHING_STORED.includes(told.code) ? { ...told, detail: 'Nothing was stored. Send it again later.' } : told;
  }
}
