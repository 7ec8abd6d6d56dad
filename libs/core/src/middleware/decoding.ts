import { decoded, type PayloadPlace } from '../contract/payload.js';
import type { PayloadClass } from '../contract/topic.js';
import { type Attempt, goesBack } from './attempt.js';
import type { Middleware } from './chain.js';
import { GOES_BACK } from './verdict.js';

/**
 * Makes the payload a valid instance of its class.
 *
 * @param classOf the class of an attempt's payload
 */
export function decoding<A extends Attempt>(classOf: (attempt: A) => PayloadClass, place: PayloadPlace): Middleware<A> {
  return (next) => (attempt) => {
    const made = decoded(classOf(attempt), attempt.payload, place);
    if (made instanceof Promise) return made.then((payload) => afterRules(next, attempt, payload));
    attempt.payload = made;
    return next(attempt);
  };
}

/** Rules may take their time: an attempt that goes back meanwhile is not begun here. */
function afterRules<A extends Attempt>(next: (attempt: A) => unknown, attempt: A, payload: object): unknown {
  if (goesBack(attempt)) return GOES_BACK;
  attempt.payload = payload;
  return next(attempt);
}
