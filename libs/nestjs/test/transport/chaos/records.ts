import { type Ending, Progress } from '@millrace/testing';
import type { Emit, Handling, History, Request, Stall } from './history.js';

/** The number of the event or request that begins with these words; null when they say something else. */
export function begunIn([word, number]: readonly string[]): number | null {
  return word === 'emitting' || word === 'sending' ? Number(number) : null;
}

/** The words of the processes about a run, kept outside Redis: no fault touches it. */
export class Records {
  /** Counts the events and requests that have begun. */
  readonly progress = new Progress();
  readonly #emits = new Map<number, Emit>();
  readonly #requests = new Map<number, Request>();
  readonly #handled: Handling[] = [];
  readonly #executed: number[] = [];
  readonly #stalls: Stall[] = [];
  readonly #killed: number[] = [];
  #badExits = 0;

  readonly hear = ([word, ...rest]: readonly string[]): void => {
    const [number, ...facts] = rest as [string, ...string[]];
    switch (word) {
      case 'emitting': return this.#emitting(Number(number), facts);
      case 'emitted': this.#emits.get(Number(number))!.outcome = facts[0]!; return;
      case 'sending': return this.#sending(Number(number), facts);
      case 'settled': return this.#settled(Number(number), facts);
      case 'executed': this.#executed.push(Number(number)); return;
      case 'handled': return this.#wasHandled(Number(number), facts);
      case 'stalled': this.#stalls.push({ pid: Number(number), fromMs: Number(facts[0]), toMs: Number(facts[1]) }); return;
      default: throw new Error(`A process said what nobody understands: ${word}`);
    }
  };

  /** One that was asked to stop and had to be killed has a bad end, too. */
  ended(pid: number, { code, wasAsked }: Ending): void {
    if (!wasAsked) this.#killed.push(pid);
    else if (code !== 0) this.#badExits += 1;
  }

  /** Whether each request of a process that was not killed has ended. */
  get areSettled(): boolean {
    const dead = new Set(this.#killed);
    const isOpen = ({ pid, settled }: Request): boolean => settled.length === 0 && !dead.has(pid);
    const isUnconfirmed = ({ pid, outcome }: Emit): boolean => outcome === null && !dead.has(pid);
    return ![...this.#requests.values()].some(isOpen) && ![...this.#emits.values()].some(isUnconfirmed);
  }

  history(seen: Pick<History, 'letters' | 'left' | 'faults'>): History {
    const [emits, requests] = [[...this.#emits.values()], [...this.#requests.values()]];
    const told = { handled: this.#handled, executed: this.#executed, stalls: this.#stalls };
    return { emits, requests, ...told, killed: this.#killed, badExits: this.#badExits, ...seen };
  }

  #wasHandled(number: number, [handler, subject, attempt]: readonly string[]): void {
    this.#handled.push({ number, handler: handler!, subject: subject!, attempt: Number(attempt) });
  }

  #emitting(number: number, [pid]: readonly string[]): void {
    this.#emits.set(number, { number, pid: Number(pid), outcome: null });
    this.progress.advance();
  }

  #sending(number: number, [pid, deadlineAtMs]: readonly string[]): void {
    const facts = { number, pid: Number(pid), deadlineAtMs: Number(deadlineAtMs) };
    this.#requests.set(number, { ...facts, settled: [], settledAtMs: null });
    this.progress.advance();
  }

  #settled(number: number, [how, atMs]: readonly string[]): void {
    const request = this.#requests.get(number)!;
    request.settledAtMs ??= Number(atMs);
    request.settled.push(how!);
  }
}
