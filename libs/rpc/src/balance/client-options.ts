import { type Duration, IsDurationOption, IsFunction, IsName, IsOneOf, IsWholeNumber } from '@millrace/core';
import { IsArray, IsBoolean, IsObject, IsOptional, Length } from 'class-validator';

/** How the instance of a call is chosen; `'pull'`: the first that is free takes it. */
export const STRATEGIES = ['pull', 'random', 'round-robin', 'least-active', 'two-choices', 'key'] as const;
export type BalanceStrategy = (typeof STRATEGIES)[number];

/** The answer to a call that failed. */
export const FAILURES = ['fail-fast', 'fail-over', 'fail-safe'] as const;
export type FailureMode = (typeof FAILURES)[number];

/** Options of a client for one method. */
export class RpcFailureOptions {
  /**
   * `'fail-fast'`: the caller gets the error. `'fail-over'`: the call is made again where it cannot have run, or its method is
   * idempotent. `'fail-safe'`: the event `call-given-up` has the error, and the call resolves; for methods without an answer.
   * Default `'fail-fast'`.
   */
  @IsOptional() @IsOneOf(FAILURES)
  failure?: FailureMode;

  /** With `'fail-over'`: attempts after the first, 1 to 10. Default 2. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10 })
  retries?: number;

  /**
   * With `'fail-over'`: how long one attempt of an idempotent method may take, `'1ms'` to `'1h'`. Default: all the time that the
   * call has left.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1h' })
  attemptTimeout?: Duration;
}

/** A share of the calls, and the instances that get them. */
export class RouteOptions {
  /** Instances with this tag. Default: those with none of the tags that other routes name. */
  @IsOptional() @Length(1, 128)
  tag?: string;

  /** Instances of this version of the service. Default: that of the contract. */
  @IsOptional() @IsName('version')
  version?: string;

  /** Its part of the calls, beside those of the other routes, 1 to 1000. Default 100. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  share?: number = 100;
}

/** When calls are not made for a while, since too many failed. */
export class CircuitOptions {
  /** It opens when more than this percentage of the latest calls failed, 1 to 99. Default 50. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 99 })
  failureRate?: number = 50;

  /** How many of the latest calls count, 1 to 1000. Default 20. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  calls?: number = 20;

  /** It stays closed while it has seen fewer calls, 1 to `calls`. Default: half of `calls`. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  minimumCalls?: number;

  /** How long it stays open before one call is tried, `'1ms'` to `'1h'`. Default `'10s'`. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1h' })
  openFor?: Duration = '10s';

  /** Whether errors that methods throw count as failures. Default false: a service that refuses a request works. */
  @IsOptional() @IsBoolean()
  remoteErrors?: boolean = false;
}

/** Options of a client: how it chooses instances, and how it treats failures. */
export class RpcClientOptions extends RpcFailureOptions {
  /** How the instance of a call is chosen. Default `'pull'`; `'two-choices'` where a tag is named. */
  @IsOptional() @IsOneOf(STRATEGIES)
  balance?: BalanceStrategy;

  /**
   * Gives the key of a request as text: calls with the same key go the same way, by `'key'` and by routes. A call may give its
   * own. One that throws, or gives anything but text or undefined, refuses the call with INVALID_INPUT. Default: none.
   */
  @IsOptional() @IsFunction()
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each method has a class of requests of its own
  key?: (request: any) => string | undefined;

  /** Calls go to instances with this tag: one route alone. */
  @IsOptional() @Length(1, 128)
  tag?: string;

  /** The ways of calls, by shares: up to 16 {@link RouteOptions}. Default: one, to all instances of the contract's version. */
  @IsOptional() @IsArray()
  routes?: readonly RouteOptions[];

  /** Whether a call whose route nobody serves fails with NO_INSTANCE. Default false: it takes another way. */
  @IsOptional() @IsBoolean()
  strict?: boolean = false;

  /**
   * How many calls of the service this process may have in flight, counted over its clients with a limit; 1 to 1,000,000.
   * Default: any number.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000_000 })
  maxInFlight?: number;

  /** With `maxInFlight`: how many more may wait for their turn, until their deadline; 1 to 1,000,000. Default: none. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000_000 })
  maxQueued?: number;

  /** Rejects calls with CIRCUIT_OPEN while too many fail; a {@link CircuitOptions}. Default: no. */
  @IsOptional() @IsObject()
  circuit?: CircuitOptions;

  /** {@link RpcFailureOptions} of single methods, by name; they stand in place of those of the client. */
  @IsOptional() @IsObject()
  methods?: Readonly<Record<string, RpcFailureOptions>>;
}
