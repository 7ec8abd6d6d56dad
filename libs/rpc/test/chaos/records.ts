import { type Ending, Progress } from '@millrace/testing';
import type { Call, End, Execution, History } from './history.js';

type Role = End['role'];

/** The words of the processes about a run, kept outside Redis: no fault touches it. */
export class Records {
  readonly calls: Call[] = [];
  readonly executions: Execution[] = [];
  readonly ends: End[] = [];
  readonly killed: number[] = [];
  /** Counts the calls that have begun. */
  readonly progress = new Progress();
  readonly #recorded = new Map<string, number>();
  #processes = 0;

  /** The number of a new process. */
  nextProcess(): number {
    this.#processes += 1;
    return this.#processes - 1;
  }

  /** The ledger has the answer to the request, as a process knew at that moment. */
  knows(key: string, at: number): void {
    this.#recorded.set(key, Math.min(this.#recorded.get(key) ?? Infinity, at));
  }

  history(left: number): History {
    const { calls, executions, ends, killed } = this;
    return { calls, executions, recorded: Object.fromEntries(this.#recorded), ends, killed, left };
  }
}

/** The words of one process. */
export abstract class ProcessRecords {
  protected readonly records: Records;
  protected readonly number: number;
  #stopped: Omit<End, 'code' | 'role'> | null = null;

  constructor(records: Records) {
    this.records = records;
    this.number = records.nextProcess();
  }

  protected abstract readonly role: Role;

  readonly heard = (words: readonly string[]): void => {
    if (words[0] === 'stopped') this.#stop(words.slice(1).join(' '));
    else this.hear(words);
  };

  /** The process ended; one that was killed, or had to be, did not tell that it stopped. */
  ended({ code, wasAsked }: Ending): void {
    const { role, records } = this;
    if (!wasAsked) records.killed.push(this.number);
    else records.ends.push({ code, role, inFlight: 0, counters: {}, ...this.#stopped });
  }

  protected abstract hear(words: readonly string[]): void;

  #stop(json: string): void {
    const { inFlight = 0, ...counters } = JSON.parse(json) as Record<string, number>;
    this.#stopped = { inFlight, counters };
  }
}

export class CallerRecords extends ProcessRecords {
  protected readonly role = 'caller';
  readonly #calls = new Map<number, Call>();

  #settled = 0;

  /** The calls that it made and that have not settled. */
  get open(): Call[] {
    return [...this.#calls.values()].filter(({ settled }) => settled.length === 0);
  }

  /** How many of its calls have settled. */
  get settled(): number {
    return this.#settled;
  }

  has(call: number): boolean {
    return this.#calls.has(call);
  }

  protected override hear([word, call, ...rest]: readonly string[]): void {
    if (word === 'begun') this.#begun(Number(call), rest.map(Number));
    const known = this.#calls.get(Number(call))!;
    if (word === 'settled') this.#settle(known, rest[0]!, Number(rest[1]));
    if (word !== 'sent') return;
    known.sends += 1;
    if (rest[0] === 'generous') known.generous += 1;
  }

  #settle(call: Call, how: string, at: number): void {
    if (call.settled.length === 0) this.#settled += 1;
    call.settledAt ??= at;
    call.settled.push(how);
  }

  #begun(call: number, [begunAt, deadlineAtMs]: readonly number[]): void {
    const facts = { caller: this.number, call, begunAt: begunAt!, deadlineAtMs: deadlineAtMs! };
    const made: Call = { ...facts, settled: [], settledAt: null, sends: 0, generous: 0, isHanging: false };
    this.#calls.set(call, made);
    this.records.calls.push(made);
    this.records.progress.advance();
  }
}

export class ServerRecords extends ProcessRecords {
  protected readonly role = 'server';
  readonly #running = new Map<string, Execution>();

  protected override hear([word, name, at, ...rest]: readonly string[]): void {
    if (word === 'recorded') this.records.knows(name!, Number(at));
    if (word === 'begun') this.#begun(name!, Number(at), rest);
    if (word !== 'ended') return;
    this.#running.get(name!)!.endedAt = Number(at);
    this.#running.delete(name!);
  }

  #begun(number: string, begunAt: number, [begunAtMs, call, key, ...rest]: readonly string[]): void {
    const [storedAtMs, budgetMs, deadlineAtMs, takenOver] = rest.map(Number);
    const facts = { server: this.number, call: Number(call), key: key!, begunAt, begunAtMs: Number(begunAtMs) };
    const times = { storedAtMs: storedAtMs!, budgetMs: budgetMs!, deadlineAtMs: deadlineAtMs! };
    const execution: Execution = { ...facts, ...times, takenOver: takenOver === 1, endedAt: null };
    this.#running.set(number, execution);
    this.records.executions.push(execution);
  }
}
