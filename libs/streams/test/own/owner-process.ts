import { TypeScriptChild, waitFor } from '@millrace/testing';
import type { OwnerPlan } from './owner-member.js';

const START_MS = 20_000;

/** A member of an ordered group in a process of its own. */
export class OwnerProcess {
  /** All that it has said, in order: `assigned 3`, `lost 3`, `owns 3 7`, and `owns 3 -` when it does not any more. */
  readonly said: string[] = [];
  name = '';
  readonly #child: TypeScriptChild;
  readonly #owned = new Map<number, number>();
  #ending = 'it runs';

  private constructor(plan: OwnerPlan) {
    this.#child = new TypeScriptChild(new URL('./fixtures/owner.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    void this.#listen();
  }

  /** Resolves when it has joined. */
  static async start(plan: OwnerPlan): Promise<OwnerProcess> {
    const process = new OwnerProcess(plan);
    const hasJoined = (): boolean => {
      if (process.name === '') throw new Error(process.#ending);
      return true;
    };
    await waitFor(hasJoined, { what: 'a process to join', timeoutMs: START_MS });
    return process;
  }

  /** Partition -> the epoch under which it says that it owns it. */
  get owned(): ReadonlyMap<number, number> {
    return this.#owned;
  }

  freeze(): void {
    this.#child.process.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.process.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    await this.#child.kill();
    this.#owned.clear();
  }

  async #listen(): Promise<void> {
    for (;;) {
      const line = await this.#child.line().catch((error: unknown) => void (this.#ending = String(error)));
      if (line === undefined) break;
      this.said.push(line);
      this.#hear(line.split(' '));
    }
  }

  #hear([word, first = '', second = '']: string[]): void {
    if (word === 'name') this.name = first;
    if (word !== 'owns') return;
    if (second === '-') this.#owned.delete(Number(first));
    else this.#owned.set(Number(first), Number(second));
  }
}
