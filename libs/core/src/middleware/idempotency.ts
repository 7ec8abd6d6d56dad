import type { Outcome } from '../delivery/outcome.js';
import { NoIdempotencyKeyError } from '../errors.js';
import { isEntryId } from '../ledger/entry-id.js';
import type { Begun } from '../ledger/ledger-port.js';
import { ledgerFailed, LedgerTurn, type LedgerUse } from '../ledger/ledger-turn.js';
import { quote } from '../names.js';
import { type Attempt, goesBack } from './attempt.js';
import type { Middleware, Step } from './chain.js';
import type { Decide } from './outcomes.js';
import { GOES_BACK, Verdict } from './verdict.js';

/** Work with the same id takes effect once. */
export interface Idempotency<A> extends LedgerUse {
  /** @throws NoIdempotencyKeyError */
  readonly idOf: (attempt: A) => string;
}

const REPEATED = new Verdict({ kind: 'ack', deduplicated: true });

/** How soon a ledger that failed, or that has no room, is asked again. */
const FAILED_PAUSE_MS = 1_000;
/** How soon it is asked again when others may take this process for dead. */
const UNSURE_PAUSE_MS = 50;

/**
 * Lets the rest run once for all attempts with the same id, in all processes. It does not run when the work is done; while the
 * work is in progress elsewhere, or the ledger cannot tell, the attempt comes again a little later, and counts for nothing.
 *
 * @param decide makes outcomes of what the rest returns or throws
 */
export function idempotent<A extends Attempt>(
  rule: Idempotency<A>,
  decide: (next: Step<A>) => Decide<A>,
): Middleware<A> {
  return (next) => {
    const decideRest = decide(next);
    return async (attempt) => {
      const turn = await begunTurn(rule, attempt);
      return turn instanceof Verdict ? turn : new Verdict(await turn.ended(await decideRest(attempt)));
    };
  };
}

/**
 * Begins the work of an attempt.
 *
 * @returns a verdict when it is not begun here
 * @throws NoIdempotencyKeyError
 */
export async function begunTurn<A extends Attempt>(rule: Idempotency<A>, attempt: A): Promise<LedgerTurn | Verdict> {
  const id = rule.idOf(attempt);
  let begun: Begun;
  try {
    begun = await rule.ledger.begin(id, rule.holder.member);
  } catch (error) {
    ledgerFailed(rule.place, error);
    return later(FAILED_PAUSE_MS);
  }
  if (begun.kind === 'done') return REPEATED;
  if (begun.kind === 'busy') return later(begun.retryMs);
  const turn = new LedgerTurn(rule, { id, token: begun.token, lease: attempt.lease });
  if (rule.holder.isSure && !goesBack(attempt)) return turn;
  // Others may have begun it since the ledger was asked, or nothing begins here any more.
  turn.release();
  return goesBack(attempt) ? GOES_BACK : later(UNSURE_PAUSE_MS);
}

/** It comes again after so long, and no attempt counts. */
function later(delayMs: number): Verdict {
  return new Verdict({ kind: 'release', delayMs });
}

/**
 * The id of work by the key that its user chose, or that it has.
 *
 * @param replay the number of a replay whose messages are handled though they were; 0 for none
 * @throws NoIdempotencyKeyError
 */
export function idempotencyId(keyOf: () => unknown, { where, replay }: KeyedWork): string {
  const key = checkedKey(keyOf, where);
  return replay === 0 ? key : `${SEPARATOR}${replay}${SEPARATOR}${key}`;
}

interface KeyedWork {
  readonly where: string;
  readonly replay: number;
}

/** No key has it, so that no key is like another one of a replay. */
const SEPARATOR = '\0';

function checkedKey(keyOf: () => unknown, where: string): string {
  let key: unknown;
  try {
    key = keyOf();
  } catch (cause) {
    throw new NoIdempotencyKeyError(`${where}: the function that gives its idempotency key threw ${quote(String(cause))}.${NOT_HANDLED}`, cause);
  }
  if (isEntryId(key) && !key.includes(SEPARATOR)) return key;
  if (key instanceof Promise) key.catch(() => undefined);
  const got = typeof key === 'string' ? quote(key) : `a value of type ${key === null ? 'null' : typeof key}`;
  throw new NoIdempotencyKeyError(
    `${where}: its idempotency key is ${got}, and not a text of 1 to 256 bytes of UTF-8 without NUL.${NOT_HANDLED}`,
  );
}

const NOT_HANDLED = ' It was not handled, and would have no other key in another attempt: correct the function, then redrive it.';

/** The outcome of an attempt that is over, by the turn of its work where it has one. */
export async function endOf(turn: LedgerTurn | undefined, outcome: Outcome): Promise<Outcome> {
  return turn ? turn.ended(outcome) : outcome;
}
