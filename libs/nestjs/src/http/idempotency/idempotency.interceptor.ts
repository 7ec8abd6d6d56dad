import { type CallHandler, type ExecutionContext, HttpException, Injectable, Logger, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { from, lastValueFrom, type Observable, of } from 'rxjs';
import { failureText } from '../../log/failure-text.js';
import { headersOf, type HttpResponse, isKept, jsonOf, type KeptAnswer, keptText, setSince, textOf, type WholeAnswer } from './answer.js';
import { IDEMPOTENT, type IdempotencyRules } from './idempotency-rules.js';
import { sendsItself } from './own-answer.js';
import { refusal, type RefusalCode } from './refusal.js';
import { RequestLedgers, type Turn } from './request-ledgers.js';
import { entryIdOf, type HttpRequest, requestDigest, requestKeyOf } from './request-key.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
const RETRY_AFTER_S: Partial<Record<RefusalCode, string>> = { IN_PROGRESS: '1', UNAVAILABLE: '5' };
/** The metadata of `@SerializeOptions()`. */
const SERIALIZE_OPTIONS = 'class_serializer:options';

/** One request with a key. */
interface Keyed {
  readonly digest: string;
  readonly response: HttpResponse;
  /** Whether the answer goes out without Nest. */
  readonly isOwn: boolean;
  /** The options of class-transformer for the answer, where the route has any. */
  readonly serialize: object | undefined;
}

/** Executes a request once for each key; `@Idempotent` puts it around a route. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  readonly #ledgers: RequestLedgers;
  readonly #reflector: Reflector;

  constructor(ledgers: RequestLedgers, reflector: Reflector) {
    this.#ledgers = ledgers;
    this.#reflector = reflector;
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const http = context.switchToHttp();
    const request = http.getRequest<HttpRequest>();
    const rules = this.#metadata<IdempotencyRules>(IDEMPOTENT, context);
    if (context.getType() !== 'http' || !rules || SAFE.has(request.method)) return next.handle();
    const response = http.getResponse<HttpResponse>();
    const key = requestKeyOf(request);
    if (key === null && !rules.isRequired) return next.handle();
    if (!key) throw refused(response, key === null ? 'KEY_REQUIRED' : 'INVALID_KEY');
    const serialize = this.#metadata<object>(SERIALIZE_OPTIONS, context);
    const keyed = { digest: requestDigest(request), response, isOwn: sendsItself(context), serialize };
    const entry = { route: routeOf(context), keepMs: rules.keepMs, id: entryIdOf(rules.clientOf(request), key) };
    const place = await this.#ledgers.begin(entry).catch((error: unknown) => unavailable(response, error));
    if (place.kind === 'busy') throw refused(response, 'IN_PROGRESS');
    if (place.kind === 'done') return of(repeated(place.result, keyed));
    // A promise: what the handler does goes on, and is kept, when the client has gone.
    return from(executed(place.turn, keyed, next));
  }

  #metadata<T>(key: string, context: ExecutionContext): T | undefined {
    return this.#reflector.getAllAndOverride<T | undefined>(key, [context.getHandler(), context.getClass()]);
  }
}

/** The answer goes out when it is kept: a process that died between the two would let the request be executed again. */
async function executed(turn: Turn, keyed: Keyed, next: CallHandler): Promise<unknown> {
  const { digest, response, isOwn, serialize } = keyed;
  const before = headersOf(response);
  let value: unknown;
  try {
    value = await lastValueFrom(next.handle(), { defaultValue: undefined });
  } catch (thrown) {
    await failed(turn, thrown, { digest, headers: setSince(before, response) });
    throw thrown;
  }
  const json = isOwn ? null : bodyOf(value, serialize);
  await turn.complete(keptText({ digest, status: response.statusCode, headers: setSince(before, response) }, json));
  // A repetition gets the same value through the same interceptors.
  return typeof json === 'string' ? JSON.parse(json) : value;
}

/** As {@link keptText} takes it. */
function bodyOf(value: unknown, serialize: object | undefined): string | null | undefined {
  return value === undefined ? undefined : jsonOf(value, serialize);
}

async function failed(turn: Turn, thrown: unknown, answer: Pick<WholeAnswer, 'digest' | 'headers'>): Promise<void> {
  // The client may ask any instance again as soon as it has the error.
  if (!isKept(thrown)) await turn.release();
  else await turn.complete(thrownText(answer, thrown));
}

function thrownText(answer: Pick<WholeAnswer, 'digest' | 'headers'>, thrown: HttpException): string {
  return keptText({ ...answer, status: thrown.getStatus(), thrown: true }, textOf(thrown.getResponse()));
}

function repeated(text: string, { digest, response }: Keyed): unknown {
  const answer = JSON.parse(text) as KeptAnswer;
  if (answer.digest !== digest) throw refused(response, 'KEY_REUSED');
  if ('unkept' in answer) throw refused(response, 'ANSWER_NOT_KEPT');
  response.header('Idempotency-Replayed', 'true');
  for (const [name, value] of Object.entries(answer.headers)) response.header(name, value);
  if (answer.thrown) throw new HttpException(answer.body as string | Record<string, unknown>, answer.status);
  response.status(answer.status);
  return answer.body;
}

function routeOf(context: ExecutionContext): string {
  return `${context.getClass().name}:${context.getHandler().name}`.replace(/[^\w.:-]/g, '-');
}

function unavailable(response: HttpResponse, error: unknown): never {
  new Logger('Millrace').warn(failureText(error).line);
  throw refused(response, 'UNAVAILABLE');
}

function refused(response: HttpResponse, code: RefusalCode): HttpException {
  const retryAfter = RETRY_AFTER_S[code];
  if (retryAfter) response.header('Retry-After', retryAfter);
  response.header('Content-Type', 'application/problem+json');
  return refusal(code);
}
