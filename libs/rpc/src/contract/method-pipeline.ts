import {
  type Attempt, chain, decoding, encoded, Lease, type MemoPort, type Middleware, MillraceError, type PayloadClass,
  type PayloadPlace, type SpanFacts, tracing, type UnknownProperties, unknownPropertiesOf,
} from '@millrace/core';
import type { RpcRequest, ServedMethod } from '../serve/service-definition.js';
import { MethodFailure } from '../wire/error-answer.js';
import { CallContext } from './call-context.js';
import { ItemStream } from './item-stream.js';
import type { ContractDefinition, MethodDefinition } from './rpc-contract.js';

/** A method of a service as this process implements it. */
export interface ImplementedMethod {
  readonly contract: ContractDefinition;
  readonly method: MethodDefinition;
  /** For contracts that say nothing themselves. */
  readonly unknownProperties?: UnknownProperties | undefined;
  /** Remembers the results of `context.once`, where the method is idempotent. */
  readonly memo?: MemoPort | undefined;
  /** The user's method with everything that surrounds it. */
  readonly handle: (request: object | undefined, context: CallContext) => Promise<unknown>;
}

/** A request on its way to its method. */
class CallAttempt implements Attempt {
  readonly request: RpcRequest;
  readonly lease = new Lease();
  readonly number = 1;
  payload: unknown;
  limit: AbortSignal | undefined = undefined;
  isOver = false;
  readonly memo: MemoPort | undefined;

  /** @throws MillraceError INVALID_PAYLOAD */
  constructor(request: RpcRequest, { where, memo }: { readonly where: string; readonly memo?: MemoPort | undefined }) {
    this.request = request;
    this.memo = memo;
    try {
      this.payload = JSON.parse(request.payload);
    } catch (cause) {
      throw new MillraceError('INVALID_PAYLOAD', `${where}: its text is no JSON, so the method was not called.`, { cause });
    }
  }
}

/** Puts the policies around a method: its request is decoded and validated, and so is its answer on the way out. */
export function methodPipeline(implemented: ImplementedMethod): ServedMethod {
  const { contract, method, handle: call } = implemented;
  const where = `${contract.service}.${method.name}()`;
  const unknownProperties = unknownPropertiesOf(contract, implemented.unknownProperties);
  const request = `request of ${where}`;
  const { idempotent, timeoutMs, items } = method;
  const facts: SpanFacts = { operation: 'serve', target: contract.service, detail: method.name };
  const around: Middleware<CallAttempt>[] = [
    decodingOf(method, { where: request, unknownProperties }),
    // A stream goes on when its method has returned it: it has its span itself.
    ...(items === null ? [tracing<CallAttempt>(({ request }) => request.headers, () => facts)] : []),
  ];
  const memo = idempotent && items === null ? implemented.memo : undefined;
  const invoke = (attempt: CallAttempt): Promise<unknown> =>
    call(attempt.payload as object | undefined, new CallContext(attempt.request, attempt));
  const rules = { idempotent, timeoutMs, digest: kindOf(method) };
  if (items === null) {
    const answer = answerOf(method, { where: `answer of ${where}`, unknownProperties });
    const run = chain(around, (attempt) => invoke(attempt).then(
      (value) => {
        attempt.isOver = true;
        return answer(value);
      },
      (thrown: unknown) => {
        attempt.isOver = true;
        failed(thrown);
      },
    ));
    return { ...rules, handle: (served) => run(new CallAttempt(served, { where: request, memo })) as Promise<string | null> };
  }
  const run = chain(around, (attempt) => invoke(attempt).catch(failed));
  const place = { where: `item of ${where}`, unknownProperties };
  const encode = itemOf(items, place);
  return {
    ...rules,
    stream: (served) => {
      const open = (): unknown => run(new CallAttempt(served, { where: request }));
      return new ItemStream({ open, encode, facts: { ...facts, sentIn: [served.headers] }, where: place.where });
    },
  };
}

/** All that callers must agree with, beside the name: the classes of both sides may differ in what they do not need. */
function kindOf({ input, output, items, oneWay }: MethodDefinition): string {
  const answer = output ? 'answer' : items ? 'items' : '-';
  return [input ? 'request' : '-', oneWay ? 'one-way' : answer].join('/');
}

function failed(thrown: unknown): never {
  throw new MethodFailure(thrown);
}

function decodingOf({ input }: MethodDefinition, place: PayloadPlace): Middleware<CallAttempt> {
  if (input !== null) return decoding(() => input, place);
  return (next) => (attempt) => {
    attempt.payload = undefined;
    return next(attempt);
  };
}

type Item = (value: unknown) => string | Promise<string>;

function itemOf(items: PayloadClass, { where, unknownProperties }: Required<PayloadPlace>): Item {
  return (payload) => encoded(items, { given: { payload, where }, unknownProperties, isSorted: false });
}

type Answer = (value: unknown) => string | null | Promise<string>;

function answerOf({ output }: MethodDefinition, place: Required<PayloadPlace>): Answer {
  const { where, unknownProperties } = place;
  if (output !== null) return (payload) => encoded(output, { given: { payload, where }, unknownProperties, isSorted: false });
  return (value) => {
    if (isStream(value)) throw undeclaredStream(where);
    return null;
  };
}

/** A method that gives many values has not ended when it returns them. */
function isStream(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  return Symbol.asyncIterator in value || typeof (value as { subscribe?: unknown }).subscribe === 'function';
}

function undeclaredStream(where: string): MillraceError {
  return new MillraceError('INVALID_PAYLOAD', `${where}: the method returned a stream, and its contract declares no answer: nobody would read it.`);
}
