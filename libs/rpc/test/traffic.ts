import { expect } from '@jest/globals';
import type { RpcRequest, Serving } from '@millrace/rpc';
import { waitFor } from '@millrace/testing';
import { call, serve } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

/** A failover takes about half of it. A call that must not be repeated waits in vain where it was on its way at that moment. */
const PATIENT_MS = 7_000;
const EVERY_MS = 4;
/** Their deadlines are far, so that each is answered unless its request, or its answer, is lost. */
const FAR_MS = 60_000;
/** All that a call may end with while its Redis changes. */
const TOLD = ['CALL_TIMEOUT', 'CALL_INDEFINITE'];

/** How many calls of each kind were not answered. */
export interface Ends {
  readonly repeatable: number;
  /** Those that must not be repeated. */
  readonly notes: number;
}

/** Calls that may be repeated, others, and some of one instance, one after the other without end, until {@link ended}. */
export class Traffic {
  /** Payloads of the executed requests that must not be repeated. */
  readonly executed: string[] = [];
  /** The name of the inbox. */
  inbox = '';
  /** `answered`, `wrong`, or the code of the error. */
  readonly #ends: string[] = [];
  readonly #caller: RpcProcess;
  readonly #patientMs: number;
  readonly #calls: Promise<unknown>[] = [];
  readonly #before: number;
  #members: string[] = [];
  #timer: NodeJS.Timeout | undefined;

  private constructor(caller: RpcProcess, mayLose: boolean) {
    this.#caller = caller;
    this.#patientMs = mayLose ? PATIENT_MS : FAR_MS;
    this.#before = settledIn(caller);
  }

  /**
   * Resolves when calls of it are answered.
   *
   * @param mayLose whether Redis may lose a call that may be repeated: it is not waited for longer than for others
   */
  static async start(caller: RpcProcess, servers: readonly RpcProcess[], mayLose = false): Promise<Traffic> {
    const traffic = new Traffic(caller, mayLose);
    for (const server of servers) traffic.#members.push((await traffic.#serve(server)).member);
    await call(caller, 'echo');
    traffic.#timer = setInterval(() => traffic.#make(), EVERY_MS);
    await traffic.answeredMore();
    return traffic;
  }

  get members(): readonly string[] {
    return this.#members;
  }

  /** Resolves when calls that were made from now on are answered. */
  async answeredMore(): Promise<void> {
    const wanted = this.#calls.length + 20;
    const are = (): boolean => this.#ends.filter((end, call) => call >= wanted && end === 'answered').length >= 20;
    await waitFor(are, { what: 'more calls to be answered', timeoutMs: 30_000 });
  }

  /**
   * Makes no more calls. Resolves when each has settled, once.
   *
   * @param besides a code with which calls may end here beside those for which Redis was away
   */
  async ended(besides?: string): Promise<Ends> {
    clearInterval(this.#timer);
    await Promise.all(this.#calls);
    // The first call of all is not one of these.
    expect(settledIn(this.#caller) - this.#before).toBe(this.#calls.length + 1);
    const unanswered = this.#ends.flatMap((end, index) => (end === 'answered' ? [] : [{ end, isNote: isNote(index) }]));
    expect(unanswered.filter(({ end }) => !TOLD.includes(end) && end !== besides)).toEqual([]);
    const [notes, repeatable] = [true, false].map((are) => unanswered.filter((each) => each.isNote === are).length);
    return { repeatable: repeatable!, notes: notes! };
  }

  #serve(server: RpcProcess): Promise<Serving> {
    const echo = async ({ payload, caller }: RpcRequest): Promise<string> => {
      this.inbox = caller;
      return payload;
    };
    const note = async ({ payload }: RpcRequest): Promise<string> => (this.executed.push(payload), payload);
    return serve(server, { echo, note });
  }

  #make(): void {
    const index = this.#calls.length;
    const chosen = index % 5 === 0 ? { instance: this.#members[index % this.#members.length]! } : {};
    const options = { payloadJson: `${index}`, ...chosen };
    const calling = isNote(index)
      ? call(this.#caller, 'note', { ...options, timeoutMs: PATIENT_MS, idempotent: false })
      : call(this.#caller, 'echo', { ...options, timeoutMs: this.#patientMs });
    const ended = (end: string): void => void (this.#ends[index] = end);
    this.#calls.push(calling.then(
      (answer) => ended(answer === `${index}` ? 'answered' : 'wrong'),
      (error: unknown) => ended((error as { code?: string }).code ?? String(error)),
    ));
  }
}

function isNote(index: number): boolean {
  return index % 2 === 1;
}

function settledIn({ rpc }: RpcProcess): number {
  const { answered, failed, timedOut, cancelled } = rpc.callerCounters;
  return answered + failed + timedOut + cancelled;
}
