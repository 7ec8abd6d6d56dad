import type { HandledAttempt } from '../events.js';
import type { ErrorRecord, Outcome } from './outcome.js';

const ENDS_WELL = ['deduplicated', 'discarded', 'expired', 'filtered'] as const;

/** The outcome of an attempt as events name it. */
export function handledAs(outcome: Outcome): Pick<HandledAttempt, 'outcome' | 'errorType'> {
  if (outcome.kind === 'ack') return { outcome: ENDS_WELL.find((each) => outcome[each]) ?? 'ack' };
  if (outcome.kind === 'release') return { outcome: 'release' };
  return { outcome: outcome.kind, errorType: errorTypeOf(outcome.error) };
}

/** The code of an error, or its name: a few words for an application, where messages are without number. */
export function errorTypeOf({ code, name }: Pick<ErrorRecord, 'code' | 'name'>): string {
  return code ?? name;
}
