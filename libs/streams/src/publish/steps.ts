/** The state of a publisher of one partition. */
export interface Standing {
  /** Messages that wait to be sent. */
  readonly waiting: number;
  /** Whether they fill a batch. */
  readonly hasFullBatch: boolean;
  /** Batches that were sent and not settled, of which there may be `mostInFlight`. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** Whether the first of them was not stored. */
  readonly isRefused: boolean;
  /** Batches that may be stored, as they were not answered; `isAwaited`: a publish of them is still open. */
  readonly inDoubt: number;
  readonly isAwaited: boolean;
  /** Whether nothing more is to be sent, as the messages may belong to other partitions. */
  readonly isHalted: boolean;
}

/**
 * - `send`: the next batch.
 * - `recover`: the first batch was not stored, so none behind it is.
 * - `close`: ask which of those in doubt are stored, so that the others never will be.
 * - `wait`: for an answer, or for more messages.
 */
export type Step = 'send' | 'recover' | 'close' | 'wait' | 'stop';

/**
 * The next step of a publisher. While a batch is in flight, only full ones follow: smaller ones would cost more for each message
 * than they gain. Nothing is sent while an earlier batch is in doubt, so that the order stays.
 */
export function nextStep(standing: Standing): Step {
  const { waiting, hasFullBatch, inFlight, mostInFlight, isRefused, inDoubt, isAwaited, isHalted } = standing;
  if (isRefused) return 'recover';
  if (inDoubt > 0) return (waiting > 0 && !isHalted) || isAwaited ? 'close' : 'stop';
  if (isHalted) return inFlight > 0 ? 'wait' : 'stop';
  const isWorthIt = inFlight === 0 ? waiting > 0 : hasFullBatch && inFlight < mostInFlight;
  if (isWorthIt) return 'send';
  return inFlight > 0 ? 'wait' : 'stop';
}
