import { asError, isMillraceError, MillraceError } from '../errors.js';
import { emit } from '../events.js';
import { errorRecord } from '../delivery/error-record.js';
import type { Lease } from '../delivery/lease.js';
import { isEntryId } from '../ledger/entry-id.js';
import { quote } from '../names.js';
import type { SqlTransaction } from '../delivery/sql-transaction.js';
import { MOST_STEPS, type MemoPort } from './memo-port.js';
import { runAsStep } from './running-step.js';

/** The largest result that is kept, in bytes of UTF-8. */
export const MOST_RESULT_BYTES = 65_536;

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** A piece of work whose steps are remembered. */
export interface SteppedWork {
  readonly memo: MemoPort;
  /** The same in each attempt. */
  readonly id: string;
  readonly lease: Lease;
  /** Aborts when the time of the attempt is over. Absent: the lease alone ends it. */
  readonly signal?: AbortSignal;
  /** Whether the handler of the attempt has ended. Absent: it is not known. */
  readonly isOver?: () => boolean;
  /** That of the attempt, which no step may use. */
  readonly transaction?: SqlTransaction | undefined;
}

/** The steps of one attempt. The result of a step is what was stored first, whoever ran it. */
export class StepMemo {
  readonly #work: SteppedWork;
  readonly #running = new Map<string, Promise<unknown>>();
  #known: Promise<Map<string, string>> | null = null;

  constructor(work: SteppedWork) {
    this.#work = work;
  }

  /** Runs a step, unless its result is known, or it is running already in this attempt. */
  once<T>(step: string, run: () => T | Promise<T>): Promise<T> {
    const running = this.#running.get(step) as Promise<T> | undefined;
    if (running) return running;
    const result = this.#once(step, run).finally(() => this.#running.delete(step));
    this.#running.set(step, result);
    return result;
  }

  async #once<T>(step: string, run: () => T | Promise<T>): Promise<T> {
    assertStep(step);
    const known = await this.#read();
    const stored = known.get(step);
    if (stored !== undefined) return valueOf(stored) as T;
    if (known.size >= MOST_STEPS) throw tooManySteps(step);
    this.#assertBegins(step);
    const { transaction } = this.#work;
    const text = textOf(step, await runAsStep({ name: step, steps: this, transaction }, run));
    await this.#work.lease.confirm();
    const result = await this.#store(step, text);
    known.set(step, result);
    return valueOf(result) as T;
  }

  /** One read for all steps; it is repeated when it failed. */
  #read(): Promise<Map<string, string>> {
    this.#known ??= this.#work.memo.read(this.#work.id).then(
      (known) => new Map(known),
      (error: unknown) => {
        this.#known = null;
        throw error;
      },
    );
    return this.#known;
  }

  /** The step has run: its result is stored as soon as Redis takes it, for as long as the work is this process's. */
  async #store(step: string, text: string): Promise<string> {
    const { memo, id, lease } = this.#work;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      this.#assertHeld();
      try {
        return await memo.store(id, step, text);
      } catch (error) {
        if (!isMillraceError(error) || !error.retryable) throw error;
        emit('loop-failed', { loop: 'memo', error: errorRecord(asError(error)), failures: 1 });
      }
      await lease.passed(pauseMs);
    }
  }

  /** An attempt that is over begins nothing: the next attempt may do the same, and forget that it did. */
  #assertBegins(step: string): void {
    this.#assertHeld();
    const { signal, isOver } = this.#work;
    if (signal?.aborted) throw signal.reason;
    if (isOver?.()) throw handlerEnded(step);
  }

  #assertHeld(): void {
    const { lease } = this.#work;
    if (lease.isGivenUp) throw lease.signal.reason;
  }
}

/** In an attempt that never comes again, no step is worth keeping. */
export const NO_MEMO: MemoPort = {
  read: () => Promise.resolve(new Map()),
  store: (_id, _step, result) => Promise.resolve(result),
  forget: () => undefined,
};

export function tooManySteps(step: string): MillraceError {
  return new MillraceError(
    'MEMO_FULL',
    `ctx.once(${quote(step)}): the results of ${MOST_STEPS} steps are kept already, so this one was not run or is not remembered. ` +
      'Put several steps into one, or give each message less to do.',
  );
}

function handlerEnded(step: string): MillraceError {
  return new MillraceError('CLOSED', `ctx.once(${quote(step)}): the handler has ended, so the step was not run. Await all work before the handler ends.`);
}

function assertStep(step: string): void {
  if (isEntryId(step)) return;
  throw new MillraceError('INVALID_INPUT', `ctx.once(${quote(String(step))}): name the step by a text of 1 to 256 bytes of UTF-8. It was not run.`);
}

/** Undefined has no JSON: the empty text stands for it. */
function textOf(step: string, value: unknown): string {
  const text = value === undefined ? '' : jsonOf(step, value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_RESULT_BYTES) return text;
  throw new MillraceError(
    'MEMO_TOO_LARGE',
    `ctx.once(${quote(step)}): the step ran, and its result of ${bytes} bytes of JSON is too large to be remembered (${MOST_RESULT_BYTES} at the ` +
      'most): another attempt runs it again. Store large results elsewhere, and give where they are.',
  );
}

function jsonOf(step: string, value: unknown): string {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return text;
  } catch (cause) {
    throw unserializable(step, cause);
  }
  throw unserializable(step);
}

function unserializable(step: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'UNSERIALIZABLE_PAYLOAD',
    `ctx.once(${quote(step)}): the step ran, and its result cannot be written as JSON, so it is not remembered: another attempt runs it ` +
      'again. Give plain data, or nothing.',
    { cause },
  );
}

function valueOf(text: string): unknown {
  return text === '' ? undefined : JSON.parse(text);
}
