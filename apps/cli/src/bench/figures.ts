import { CliError } from '../failure/cli-error.js';

/** Figures of messages that went through. */
export interface Figures {
  readonly messages: number;
  /** How many were on their way at once. */
  readonly inFlight: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** From the sending of a message to its end, in milliseconds. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** The time of the processor that this process had, in microseconds for each message. */
  readonly cpuMicros: number;
}

export interface Plan {
  readonly messages: number;
  /** Sends one message, of this number, and resolves at its end. */
  readonly send: (number: number) => Promise<unknown>;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** So long without the end of any message is a failure, in milliseconds. */
  readonly silentMs: number;
}

const IN_FLIGHT = 64;
/** Connections, scripts and compiled code are there before anything counts: a tenth as many messages, and no more than this. */
const MOST_TO_WARM = 1_000;

/**
 * Sends messages, a new one as soon as one of 64 has come to its end, and measures.
 *
 * @throws CliError INTERRUPTED, TIME_LIMIT; what `send` throws
 */
export async function measure(plan: Plan): Promise<Figures> {
  const warming = Math.ceil(Math.min(plan.messages / 10, MOST_TO_WARM));
  await through({ ...plan, messages: warming }, { from: 0, ended: () => undefined });
  const latencies = new Float64Array(plan.messages);
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()];
  await through(plan, { from: warming, ended: (number, ms) => (latencies[number - warming] = ms) });
  const [seconds, { user, system }] = [(performance.now() - startedAt) / 1_000, process.cpuUsage(cpu)];
  latencies.sort();
  const share = (part: number): number => rounded(latencies[Math.ceil(latencies.length * part) - 1]!, 3);
  return {
    messages: plan.messages, inFlight: Math.min(IN_FLIGHT, plan.messages),
    seconds: rounded(seconds, 3), perSecond: Math.round(plan.messages / seconds),
    p50Ms: share(0.5), p95Ms: share(0.95), p99Ms: share(0.99), cpuMicros: rounded((user + system) / plan.messages, 1),
  };
}

interface Numbering {
  readonly from: number;
  readonly ended: (number: number, ms: number) => unknown;
}

async function through({ messages, send, signal, silentMs }: Plan, { from, ended }: Numbering): Promise<void> {
  let [next, done] = [0, 0];
  const line = async (): Promise<void> => {
    while (next < messages && !signal.aborted) {
      const number = from + next;
      next += 1;
      const sentAt = performance.now();
      await send(number);
      ended(number, performance.now() - sentAt);
      done += 1;
    }
  };
  const watch = new Watch(signal, { silentMs, progress: () => done });
  try {
    await Promise.race([Promise.all(Array.from({ length: IN_FLIGHT }, line)), watch.failed]);
  } finally {
    watch.end();
  }
  if (signal.aborted) throw interrupted();
}

/** Looks after those that would never end. */
class Watch {
  readonly failed: Promise<never>;
  #end: () => void = () => undefined;

  constructor(signal: AbortSignal, { silentMs, progress }: { readonly silentMs: number; readonly progress: () => number }) {
    this.failed = new Promise((_, reject) => {
      let seen = -1;
      const look = setInterval(() => {
        const now = progress();
        if (now === seen) reject(new CliError('TIME_LIMIT', `No message came to its end within ${silentMs / 1_000} s. Look with millrace doctor, or give a longer --request-timeout.`));
        seen = now;
      }, silentMs);
      const stop = (): void => reject(interrupted());
      signal.addEventListener('abort', stop, { once: true });
      this.#end = () => {
        clearInterval(look);
        signal.removeEventListener('abort', stop);
      };
    });
    this.failed.catch(() => undefined);
  }

  end(): void {
    this.#end();
  }
}

function interrupted(): CliError {
  return new CliError('INTERRUPTED', 'Interrupted: there are no figures.');
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
