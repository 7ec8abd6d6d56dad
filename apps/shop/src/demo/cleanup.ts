import { asError } from '@millrace/core';

type Undo = () => Promise<void> | void;

/** Undoes what was done, last first. A step that fails does not keep the others from being undone. */
export class Cleanup {
  readonly #steps: { readonly what: string; readonly undo: Undo }[] = [];
  readonly #onFailure: (what: string, error: Error) => void;

  constructor(onFailure: (what: string, error: Error) => void) {
    this.#onFailure = onFailure;
  }

  /** @param what completes "could not ...": `stop Redis` */
  add(what: string, undo: Undo): void {
    this.#steps.push({ what, undo });
  }

  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (thrown) {
        this.#onFailure(step.what, asError(thrown));
      }
    }
  }
}
