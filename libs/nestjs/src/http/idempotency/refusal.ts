import { HttpException } from '@nestjs/common';
import { httpProblem, type Problem } from '../problem.js';

const REFUSALS = {
  KEY_REQUIRED: { status: 400, detail: 'This request needs the header Idempotency-Key: send a text that no other request has, such as a UUID.' },
  INVALID_KEY: { status: 400, detail: 'The header Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID.' },
  IN_PROGRESS: { status: 409, detail: 'A request with this Idempotency-Key is being executed. Send it again a little later to get its answer.' },
  KEY_REUSED: { status: 422, detail: 'This Idempotency-Key was used for another request. Take a new key for a new request.' },
  ANSWER_NOT_KEPT: {
    status: 410,
    detail: 'The request with this Idempotency-Key was executed, and its answer could not be kept. Read what it made instead.',
  },
  UNAVAILABLE: { status: 503, detail: 'The keys of requests cannot be looked up at the moment, so nothing was done. Send it again later.' },
} as const satisfies Record<string, Pick<Problem, 'status' | 'detail'>>;

export type RefusalCode = keyof typeof REFUSALS;

/** An answer of RFC 9457 in place of the handler's; its code begins with `IDEMPOTENCY_`. */
export function refusal(code: RefusalCode): HttpException {
  const { status, detail } = REFUSALS[code];
  return new HttpException(httpProblem({ status, detail, code: `IDEMPOTENCY_${code}` }), status);
}
