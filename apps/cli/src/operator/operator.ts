import type { Target } from '@millrace/admin';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A value as JSON has it: a moment is its ISO 8601 text. */
export type JsonOf<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? readonly JsonOf<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: JsonOf<T[Name]> }
      : T;

export type OperationOptions = Readonly<Record<string, unknown>>;

/** A call of a method of a service. */
export interface ServiceCall {
  readonly service: string;
  readonly version: string;
  readonly method: string;
  readonly request: Json;
  /** How long the caller waits, in milliseconds. Null: as long as the method says. */
  readonly timeoutMs: number | null;
  /** Gives the call up. */
  readonly signal: AbortSignal;
}

/**
 * Runs the operations of the table of `@millrace/admin`, by their names. All commands know this alone: they give the same output
 * on a Redis as through the HTTP API.
 */
export interface Operator {
  /**
   * @param options without `actor`, which the operator knows
   * @returns the answer as JSON; null where the one thing that was asked for is not there
   * @throws MillraceError, CliError
   */
  run(operation: string, target?: Target, options?: OperationOptions): Promise<Json>;
  /**
   * Calls a method of a service, which alone looks at the request where no contract is at hand.
   *
   * @returns the answer; null for none
   * @throws MillraceError, CliError; RemoteFailure with the error that the method threw
   */
  call(call: ServiceCall): Promise<Json>;
  /** Closes what was opened. */
  close(): Promise<void>;
}
