import type { ServiceName } from '../keys.js';

/** A request as the method of a service gets it. */
export interface RpcRequest {
  /** Unique, and the same each time that this request is sent again or taken over. */
  readonly id: string;
  readonly service: string;
  readonly version: string;
  readonly method: string;
  /** JSON text. */
  readonly payload: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Member name of the process that calls; `_later.<id>` for a call whose result is fetched later. */
  readonly caller: string;
  /** Whether an instance that is gone may have begun it. */
  readonly takenOver: boolean;
  /**
   * Aborts when the caller waits no longer, and when this process stops without waiting for the method. Its reason is a
   * MillraceError: CALL_TIMEOUT, CALL_CANCELLED or CLOSED.
   */
  readonly signal: AbortSignal;
  /** Is called when its answer is recorded: it is not executed again. */
  onRecorded?: (() => void) | undefined;
  /** How many milliseconds its caller still waits, by Redis's clock; below 0 when it waits no longer. */
  remainingMs(): number;
}

interface MethodRules {
  /** How long its callers wait as a rule, in milliseconds: for the registry. Default 5000. */
  readonly timeoutMs?: number;
  /** Digest of all else that callers must agree with: instances with another one are refused. Default `''`. */
  readonly digest?: string;
  /** Whether it may be executed again for a request that an instance which is gone may have begun. */
  readonly idempotent: boolean;
}

/** A method that gives one answer, or none. */
export interface AnsweringMethod extends MethodRules {
  /** @returns the JSON text of the answer; null for none */
  readonly handle: (request: RpcRequest) => Promise<string | null>;
}

/**
 * The JSON texts of the items of a streamed answer. Nothing happens before the first is asked for, one is asked for at a time,
 * and `return()` is called when nobody waits for more, also while an item is awaited.
 */
export interface AnswerItems extends AsyncIterable<string> {
  /**
   * Aborts when they fail though none of them is asked for; its reason is the error. Without it an error is learnt when the
   * caller takes an item, which may be never.
   */
  readonly broken?: AbortSignal;
}

/** A method whose answer is a stream of items. A request of it that was begun is executed by no other instance. */
export interface StreamingMethod extends MethodRules {
  /**
   * A promise may bring the only item in the place of items, or null for none: that costs no more than one answer. Before it is
   * settled, the signal of the request alone says that nobody waits.
   */
  readonly stream: (request: RpcRequest) => AnswerItems | Promise<AnswerItems | string | null>;
}

export type ServedMethod = AnsweringMethod | StreamingMethod;

export function isStreaming(method: ServedMethod): method is StreamingMethod {
  return 'stream' in method;
}

export interface ServiceDefinition extends ServiceName {
  /** How many requests this process executes at once; a whole number from 1 on. */
  readonly concurrency: number;
  /** By name. */
  readonly methods: ReadonlyMap<string, ServedMethod>;
  /** For the registry: see `InstanceDefinition`. */
  readonly weight?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}
