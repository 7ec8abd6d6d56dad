/**
 * A method throws it when it has failed and says itself what its caller gets: `text`, as its answer or as its last item. The
 * service alone learns of the cause.
 */
export class AnsweredFailure extends Error {
  /** JSON text. */
  readonly text: string;
  /** Whether the service has logged it where it happened, or expects it. */
  readonly isReported: boolean;

  constructor(text: string, cause: unknown, isReported = false) {
    super('The method failed, and has answered with that.', { cause });
    this.name = 'AnsweredFailure';
    this.text = text;
    this.isReported = isReported;
  }
}
