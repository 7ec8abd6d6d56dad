import type { Target } from '@millrace/admin';
import { asError } from '@millrace/core';
import { CliError, usage } from '../failure/cli-error.js';
import { type RemoteError, RemoteFailure } from '../failure/remote-failure.js';
import type { Json, OperationOptions, Operator, ServiceCall } from './operator.js';
import { timeLimitOf, tooLate } from './time-limit.js';

export interface HttpOptions {
  /** The beginning of the paths of the server: `https://host:3000`, with the path that it is mounted at. */
  readonly url: string;
  /** Null: nothing is sent. */
  readonly token: string | null;
  readonly requestMs: number;
}

const API = '/millrace/api/v1';
const LONGEST_CALL_MS = 3_600_000;
const JSON_TYPE = /^application\/(?:problem\+)?json\b/;

/** Asks the HTTP API of a server, which knows from the token who acts. */
export class HttpOperator implements Operator {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async run(name: string, target: Target = {}, options: OperationOptions = {}): Promise<Json> {
    const { operationOf, queryOf } = await import('@millrace/admin');
    const operation = operationOf(name);
    const limitMs = timeLimitOf(this.#options.requestMs, options);
    const url = this.#urlOf(operation.path, target);
    const isAction = operation.method === 'POST';
    if (!isAction) for (const [key, value] of Object.entries(queryOf(options))) url.searchParams.set(key, value);
    const body = isAction ? { body: JSON.stringify(options) } : {};
    const request = { method: operation.method, ...body, signal: AbortSignal.timeout(limitMs) };
    return this.#answer(url, request, { isQuestion: !isAction, late: () => tooLate(name, limitMs) });
  }

  async call({ service, method, version, request, timeoutMs, signal }: ServiceCall): Promise<Json> {
    const url = this.#urlOf('/services/:service/:method/call', { service, method });
    // The server tells when the time is up; it waits for no call longer than that.
    const limitMs = this.#options.requestMs + (timeoutMs ?? LONGEST_CALL_MS);
    const headers = { 'millrace-version': version, ...(timeoutMs === null ? {} : { 'millrace-timeout': `${timeoutMs}ms` }) };
    const parts = { method: 'POST', headers, body: JSON.stringify(request), signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]) };
    return this.#answer(url, parts, { isQuestion: false, late: () => tooLate(`${service}.${method}`, limitMs) });
  }

  /** A document about the server, such as `asyncapi.json`; null where it has none of this name. @throws CliError */
  async document(name: string): Promise<Json> {
    const limitMs = this.#options.requestMs;
    const request = { method: 'GET', signal: AbortSignal.timeout(limitMs) };
    return this.#answer(this.#urlOf(`/${name}`, {}), request, { isQuestion: true, late: () => tooLate(name, limitMs) });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #urlOf(path: string, target: Target): URL {
    const filled = path.replace(/:([A-Za-z]+)/g, (_, name: string) => segmentOf(name, target[name] ?? ''));
    return new URL(`${this.#options.url.replace(/\/+$/, '')}${API}${filled}`);
  }

  async #answer(url: URL, request: Request, { isQuestion, late }: Asked): Promise<Json> {
    const { token } = this.#options;
    const headers = {
      accept: 'application/json', 'x-millrace': 'cli', ...request.headers,
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
    try {
      // A token goes to the server that was named, and to no other one.
      const response = await fetch(url, { ...request, headers, redirect: 'error' });
      return answerIn(response, await response.text(), isQuestion);
    } catch (thrown) {
      const error = asError(thrown);
      if (error instanceof CliError) throw error;
      throw error.name === 'TimeoutError' ? late() : unreachable(url, error);
    }
  }
}

/**
 * No URL has a segment that is empty, `.` or `..`, however it is written: it would be the URL of something else.
 *
 * @throws CliError USAGE
 */
function segmentOf(name: string, value: string): string {
  if (!/^\.{0,2}$/.test(value)) return encodeURIComponent(value);
  throw usage(`The ${name} '${value}' cannot be named over HTTP: its URL would be that of something else. Nothing was asked. Ask Redis itself, with --redis.`);
}

type Request = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> };

interface Asked {
  /** The one thing that is asked for may not be there. */
  readonly isQuestion: boolean;
  readonly late: () => CliError;
}

function answerIn(response: Response, text: string, isQuestion: boolean): Json {
  const body = JSON_TYPE.test(response.headers.get('content-type') ?? '') ? parsed(text) : undefined;
  if (response.ok) {
    if (body === undefined) throw noApi(response);
    return body;
  }
  const { code, message, problems } = problemIn(body);
  if (code === null) throw noApi(response);
  const remote = remoteIn(body);
  if (remote !== null) throw new RemoteFailure(remote);
  // The thing is not there, while its topic and its group are.
  if (response.status === 404 && isQuestion && !code.startsWith('UNKNOWN_')) return null;
  throw new CliError(code, message, problems);
}

interface Problem {
  /** Null: the answer is none of the API. */
  readonly code: string | null;
  readonly message: string;
  readonly problems: readonly string[];
}

function problemIn(body: Json | undefined): Problem {
  const none: Problem = { code: null, message: '', problems: [] };
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return none;
  const { code, title, detail, problems } = body as { readonly [name: string]: Json };
  // A server of an older version has no detail, and says by its title what happened.
  const message = detail ?? title;
  if (typeof code !== 'string' || typeof message !== 'string') return none;
  const texts = Array.isArray(problems) ? problems.filter((problem) => typeof problem === 'string') : [];
  return { code, message, problems: texts };
}

/** The error that a method of a service threw; null for none. */
function remoteIn(body: Json | undefined): RemoteError | null {
  const remote = partOf(body, 'remote');
  const [name, message, code, response] = ['name', 'message', 'code', 'response'].map((part) => partOf(remote, part));
  if (typeof name !== 'string' || typeof message !== 'string') return null;
  return { name, message, ...(typeof code === 'string' ? { code } : {}), ...(response === undefined ? {} : { response }) };
}

function partOf(value: Json | undefined, name: string): Json | undefined {
  if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value)) return undefined;
  return (value as { readonly [name: string]: Json })[name];
}

function noApi({ status, url }: Response): CliError {
  const place = new URL(url);
  return new CliError(
    status >= 500 || status === 404 || status < 400 ? 'API_UNREACHABLE' : `HTTP_${status}`,
    `${place.origin} answered ${status}, and not as the HTTP API of Millrace does. ${adviceFor(status)}`,
  );
}

function adviceFor(status: number): string {
  if (status === 401 || status === 403) return 'Give a token that may do this: --token, or MILLRACE_TOKEN.';
  return 'Check --url, or MILLRACE_URL: it names the server without /millrace/api/v1.';
}

function unreachable(url: URL, { message, cause }: Error): CliError {
  const reason = cause instanceof Error ? cause.message || cause.name : message;
  return new CliError('API_UNREACHABLE', `${url.origin} cannot be reached: ${reason}. Start the server, or name another one with --url; --redis does without a server.`);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
