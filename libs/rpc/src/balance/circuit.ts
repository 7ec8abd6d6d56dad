import { CircuitBreakerPolicy, CircuitState as State, BrokenCircuitError, circuitBreaker, CountBreaker, handleWhen } from 'cockatiel';
import { emit, isMillraceError } from '@millrace/core';
import { RpcCircuitOpenError, RpcTimeoutError } from '../errors.js';
import type { ServiceName } from '../keys.js';
import type { CircuitRule } from './client-rules.js';

/** The calls that a circuit is for: those of a service, or of one of its instances. */
export interface CircuitPlace extends ServiceName {
  /** Null: all. */
  readonly instance: string | null;
}

/** A circuit as it is at a moment. */
export interface CircuitState extends CircuitPlace {
  readonly state: 'closed' | 'open' | 'half-open';
  /** When a call is tried again, in Unix milliseconds; null when it is not open. */
  readonly retryAtMs: number | null;
}

const STATES = { [State.Closed]: 'closed', [State.Open]: 'open', [State.HalfOpen]: 'half-open', [State.Isolated]: 'open' } as const;

/** An error that shows that the service works: the call did not fail because of it. */
class Answered {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** An error of a call that began before the circuit changed: it tells nothing of the time since then. */
class Outdated extends Error {
  constructor(cause: unknown) {
    super('The call is older than the state of its circuit.', { cause });
    this.name = 'Outdated';
  }
}

/**
 * Lets no call through for a while when too many of the latest failed: closed -> open -> half-open, while one call is tried ->
 * closed or open.
 */
export class Circuit {
  readonly place: CircuitPlace;
  readonly #rule: CircuitRule;
  readonly #policy: CircuitBreakerPolicy;
  #retryAtMs = 0;
  #changes = 0;

  constructor(place: CircuitPlace, rule: CircuitRule) {
    this.place = place;
    this.#rule = rule;
    const { threshold, calls: size, minimumCalls: minimumNumberOfCalls } = rule;
    const breaker = new CountBreaker({ threshold, size, minimumNumberOfCalls });
    const counts = handleWhen((error) => this.#isFailure(error) || this.#isEmptyTrial(error));
    this.#policy = circuitBreaker(counts, { breaker, halfOpenAfter: rule.openForMs });
    this.#policy.onStateChange(() => this.#changed());
  }

  get state(): CircuitState {
    const state = STATES[this.#policy.state];
    return { ...this.place, state, retryAtMs: state === 'open' ? this.#retryAtMs : null };
  }

  /** When a call may be tried again, in Unix milliseconds; 0 when one may now, Infinity while one is tried. */
  get closedUntilMs(): number {
    switch (this.#policy.state) {
      case State.Closed:
        return 0;
      case State.HalfOpen:
        return Number.POSITIVE_INFINITY;
      default:
        return Date.now() >= this.#retryAtMs ? 0 : this.#retryAtMs;
    }
  }

  /**
   * @param begun resolves when the first item of a streamed answer has come; null for one answer
   * @throws RpcCircuitOpenError when it lets no call through
   */
  async run(send: () => Promise<string | null>, begun: Promise<null> | null = null): Promise<string | null> {
    if (this.closedUntilMs > 0) throw this.#openError();
    if (begun !== null && this.#policy.state !== State.Closed) return this.#try(send, begun);
    const outcome = await this.#execute(send);
    if (outcome instanceof Answered) throw outcome.error;
    return outcome;
  }

  /** A stream may last for a day: its first item tells that the service works, so that other calls need not wait for its end. */
  async #try(send: () => Promise<string | null>, begun: Promise<null>): Promise<string | null> {
    let sent!: Promise<string | null>;
    const outcome = await this.#execute(() => Promise.race([sent = send(), begun]));
    if (outcome instanceof Answered) throw outcome.error;
    return sent;
  }

  async #execute(send: () => Promise<string | null>): Promise<string | null | Answered> {
    try {
      const executing = this.#policy.execute(() => send().catch((error: unknown) => this.#classified(error, changes)));
      // Behind its beginning, which changes an open circuit.
      const changes = this.#changes;
      return await executing;
    } catch (error) {
      if (error instanceof Outdated) throw error.cause;
      // The clock was set back.
      throw error instanceof BrokenCircuitError ? this.#openError() : error;
    }
  }

  #classified(error: unknown, changes: number): Answered {
    if (changes !== this.#changes) throw new Outdated(error);
    if (!this.#isFailure(error) && isMillraceError(error) && SHOWS_LIFE.has(error.code)) return new Answered(error);
    throw error;
  }

  /** Redis that is away, a caller that gives up and a request that is not valid say nothing about the service. */
  #isFailure(error: unknown): boolean {
    if (!isMillraceError(error)) return false;
    if (error.code === 'REMOTE_FAILED') return this.#rule.remoteErrors;
    return FAILURES.has(error.code) && !(error instanceof RpcTimeoutError && !error.mayHaveRun);
  }

  /** A trial that tells nothing of the service, as one that its caller gave up, must not close the circuit. */
  #isEmptyTrial(error: unknown): boolean {
    return this.#policy.state === State.HalfOpen && !(error instanceof Outdated);
  }

  #changed(): void {
    const { state } = this.#policy;
    this.#changes += 1;
    if (state === State.Open) this.#retryAtMs = Date.now() + this.#rule.openForMs;
    const { instance, ...service } = this.place;
    const { retryAtMs } = this.state;
    emit('circuit', {
      ...service, state: STATES[state],
      ...(instance === null ? {} : { instance }), ...(retryAtMs === null ? {} : { retryAtMs }),
    });
  }

  #openError(): RpcCircuitOpenError {
    return circuitOpen(this.place, this.#policy.state === State.HalfOpen ? Date.now() : this.#retryAtMs);
  }
}

const FAILURES: ReadonlySet<string> = new Set(['CALL_TIMEOUT', 'CALL_INDEFINITE', 'NO_INSTANCE', 'BACK_PRESSURE']);
const SHOWS_LIFE: ReadonlySet<string> = new Set(['REMOTE_FAILED', 'UNKNOWN_METHOD']);

export function circuitOpen({ service, version, instance }: CircuitPlace, retryAtMs: number): RpcCircuitOpenError {
  const whose = instance === null ? `service '${service}' ${version}` : `instance '${instance}' of service '${service}' ${version}`;
  const inMs = Math.max(0, retryAtMs - Date.now());
  const when = inMs === 0 ? 'One call is tried now, and decides whether others go through' : `It is tried again in ${inMs} ms`;
  return new RpcCircuitOpenError(`The call was not sent: too many calls of ${whose} failed. ${when}: call again then.`, retryAtMs);
}
