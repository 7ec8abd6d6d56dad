import { type Duration, durationMs, isMillraceError, MillraceError, parseOptions, unknownName } from '@millrace/core';
import type { ContractDefinition, MethodDefinition } from '../contract/rpc-contract.js';
import {
  type BalanceStrategy, CircuitOptions, type FailureMode, RouteOptions, RpcClientOptions, RpcFailureOptions,
} from './client-options.js';

/** The options of a client, checked, with their defaults. */
export interface ClientRules {
  readonly strategy: BalanceStrategy;
  /** One at least. */
  readonly routes: readonly RouteRule[];
  readonly isStrict: boolean;
  readonly key: ((request: unknown) => string | undefined) | undefined;
  readonly limit: LimitRule | null;
  readonly circuit: CircuitRule | null;
  readonly failureOf: (method: string) => FailureRule;
}

export interface RouteRule {
  /** Null: those without the tags of other routes. */
  readonly tag: string | null;
  readonly version: string;
  readonly share: number;
}

export interface LimitRule {
  readonly maxInFlight: number;
  readonly maxQueued: number;
}

export interface CircuitRule {
  /** Above 0, below 1. */
  readonly threshold: number;
  readonly calls: number;
  readonly minimumCalls: number;
  readonly openForMs: number;
  readonly remoteErrors: boolean;
}

export interface FailureRule {
  readonly mode: FailureMode;
  readonly retries: number;
  /** Null: all the time that is left. */
  readonly attemptTimeoutMs: number | null;
}

const DEFAULT_RETRIES = 2;
const MOST_ROUTES = 16;

/**
 * Checks the options of a client of a contract.
 *
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function clientRules(definition: ContractDefinition, raw: unknown, where: string): ClientRules {
  const problems: string[] = [];
  const given = checked(problems, '', () => parseOptions(RpcClientOptions, raw, where)) ?? (raw as RpcClientOptions | null) ?? {};
  const circuit = given.circuit === undefined ? null : checked(problems, 'circuit', () => circuitRule(given.circuit!));
  const routes = routesOf(given, definition, problems);
  const failures = failuresOf(given, definition, problems);
  problems.push(...contradictions(given));
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} is not configured well.`, { problems });
  const isTagged = routes.some(({ tag }) => tag !== null);
  return {
    strategy: given.balance ?? (isTagged ? 'two-choices' : 'pull'),
    routes,
    isStrict: given.strict === true,
    key: given.key,
    limit: given.maxInFlight === undefined ? null : { maxInFlight: given.maxInFlight, maxQueued: given.maxQueued ?? 0 },
    circuit: circuit ?? null,
    failureOf: (method) => failures.get(method)!,
  };
}

/** @returns null when it has problems, which are added to the others */
function checked<T>(problems: string[], place: string, parse: () => T): T | null {
  try {
    return parse();
  } catch (thrown) {
    if (!isMillraceError(thrown)) throw thrown;
    if (thrown.problems.length === 0) problems.push(thrown.message);
    problems.push(...thrown.problems.map((problem) => (place === '' ? problem : `${place}: ${problem}`)));
    return null;
  }
}

function circuitRule(raw: CircuitOptions): CircuitRule {
  const { failureRate, calls, openFor, remoteErrors, ...rest } = parseOptions(CircuitOptions, raw, 'circuit');
  const minimumCalls = (rest as CircuitOptions).minimumCalls ?? Math.ceil(calls / 2);
  if (minimumCalls > calls) throw new MillraceError('INVALID_OPTIONS', `circuit: minimumCalls must not be greater than calls, which is ${calls}`);
  return { threshold: failureRate / 100, calls, minimumCalls, openForMs: durationMs(openFor), remoteErrors };
}

function routesOf({ tag, routes }: RpcClientOptions, { version }: ContractDefinition, problems: string[]): RouteRule[] {
  if (!Array.isArray(routes)) return [{ tag: tag ?? null, version, share: 1 }];
  if (routes.length === 0 || routes.length > MOST_ROUTES) problems.push(`routes must have 1 to ${MOST_ROUTES} routes`);
  const rules = routes.slice(0, MOST_ROUTES).flatMap((route: unknown, index) => {
    const parsed = checked(problems, `routes[${index}]`, () => parseOptions(RouteOptions, route, `routes[${index}]`));
    return parsed === null ? [] : [{ tag: parsed.tag ?? null, version: parsed.version ?? version, share: parsed.share }];
  });
  const places = rules.map((rule) => `${rule.version}/${rule.tag ?? ''}`);
  if (new Set(places).size < places.length) problems.push('routes: two of them lead to the same instances; add their shares');
  return rules;
}

function failuresOf(given: RpcClientOptions, { methods }: ContractDefinition, problems: string[]): Map<string, FailureRule> {
  const own = typeof given.methods === 'object' && given.methods !== null ? given.methods : {};
  for (const name of Object.keys(own)) if (!methods.has(name)) problems.push(`methods: ${unknownName('method', name, [...methods.keys()])}`);
  const { failure, retries, attemptTimeout } = given;
  problems.push(...idleRetries({ failure, retries, attemptTimeout }, ''));
  return new Map([...methods.values()].map((method) => {
    const raw = own[method.name];
    const place = `methods.${method.name}`;
    const parsed = raw === undefined ? null : checked(problems, place, () => parseOptions(RpcFailureOptions, raw, place));
    if (parsed !== null) problems.push(...idleRetries(parsed, `${place}: `));
    const chosen = parsed?.failure === undefined ? { failure, retries, attemptTimeout } : parsed;
    problems.push(...answerLost(method, chosen.failure));
    return [method.name, ruleOf(chosen)];
  }));
}

function ruleOf({ failure, retries, attemptTimeout }: RpcFailureOptions): FailureRule {
  const attemptTimeoutMs = attemptTimeout === undefined ? null : durationOf(attemptTimeout);
  return { mode: failure ?? 'fail-fast', retries: retries ?? DEFAULT_RETRIES, attemptTimeoutMs };
}

/** Null for one that is no duration: it is among the problems. */
function durationOf(duration: Duration): number | null {
  try {
    return durationMs(duration);
  } catch {
    // It has been reported by the rule of its option.
    return null;
  }
}

function idleRetries({ failure, retries, attemptTimeout }: RpcFailureOptions, place: string): string[] {
  if (failure === 'fail-over' || (retries === undefined && attemptTimeout === undefined)) return [];
  return [`${place}retries and attemptTimeout are for failure: 'fail-over' alone`];
}

function answerLost({ name, output }: MethodDefinition, failure: FailureMode | undefined): string[] {
  if (failure !== 'fail-safe' || output === null) return [];
  return [`failure: 'fail-safe' is for methods without an answer, and '${name}' has one: give it another failure by methods`];
}

function contradictions({ tag, routes, balance, maxInFlight, maxQueued, strict }: RpcClientOptions): string[] {
  const isRouted = Array.isArray(routes) && routes.some((route: RouteOptions | null) => route?.tag !== undefined);
  const isTagged = tag !== undefined || isRouted;
  return [
    ...(tag !== undefined && routes !== undefined ? ['tag and routes exclude each other: name the tag in a route'] : []),
    ...(isTagged && balance === 'pull' ? ["balance: 'pull' lets any instance take a call, whatever its tags: choose another for a tag"] : []),
    ...(maxQueued !== undefined && maxInFlight === undefined ? ['maxQueued is for maxInFlight alone'] : []),
    ...(strict === true && tag === undefined && routes === undefined ? ['strict is for tag or routes alone'] : []),
  ];
}
