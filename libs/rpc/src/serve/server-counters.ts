/** Counts of a process that serves, since it started; `inFlight` is how many requests it holds now. */
export class ServerCounters {
  /** Answers with a result, or with none, that an inbox took. */
  answered = 0;
  /** Answers with an error that an inbox took. */
  failed = 0;
  /** Requests that callers cancelled after they were read. */
  cancelled = 0;
  /** Entries that are no request. */
  malformed = 0;
  /** Requests that were not executed, since their time was over. */
  expired = 0;
  /** Answers that were not written, since the request was settled before. */
  fenced = 0;
  /** Answers whose inbox was not there. */
  droppedAnswers = 0;
  /** Requests that were taken over from instances that are gone. */
  takenOver = 0;
  /** Requests that were taken over and not executed, since they may have been begun. */
  indefinite = 0;
  /** Items of streamed answers that an inbox took. */
  items = 0;
  inFlight = 0;
}
