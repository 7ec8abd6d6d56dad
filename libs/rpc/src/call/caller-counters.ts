/** Counts of a process that calls, since it started; `inFlight` is how many of its calls are not settled now. */
export class CallerCounters {
  /** Requests that Redis has, those that were sent again included. */
  sent = 0;
  answered = 0;
  /** Calls that were answered with an error, or could not be sent. */
  failed = 0;
  timedOut = 0;
  cancelled = 0;
  /** Answers of calls that were settled before. */
  lateAnswers = 0;
  /** Answers that no call of this process can have. */
  unknownAnswers = 0;
  /** Fields in the inbox that are no answer. */
  malformed = 0;
  /** How often the inbox was gone, and was made again. */
  inboxesMade = 0;
  /** Items of streamed answers that came. */
  items = 0;
  /** Items that came late, twice, or from an instance whose stream had ended. */
  droppedItems = 0;
  inFlight = 0;
}
