import {
  asError, assertHeaders, currentTrace, decoded, durationMs, encoded, MAX_HEADERS, MillraceError, type UnknownProperties,
  unknownPropertiesOf, withTraceHeaders,
} from '@millrace/core';
import type { OutgoingCall } from '../call/outgoing-call.js';
import type { CallOptions } from '../contract/call-options.js';
import type { ContractDefinition, MethodDefinition } from '../contract/rpc-contract.js';

/** One method of a contract as its callers use it. */
export interface ClientMethod {
  /** Names it in errors: `payments.charge()`. */
  readonly where: string;
  /**
   * Validates a request and makes the call of it; the options are valid.
   *
   * @throws MillraceError INVALID_PAYLOAD, INVALID_INPUT, INVALID_OPTIONS; also by a rejected promise
   */
  readonly prepare: (request: unknown, options: CallOptions | undefined) => OutgoingCall | Promise<OutgoingCall>;
  /** Whether it answers with a stream. */
  readonly isStreamed: boolean;
  /** Validates an answer, or an item of a streamed one. @throws MillraceError INVALID_PAYLOAD; also by a rejected promise */
  readonly answered: (text: string | null) => unknown;
}

export interface ClientMethodParts {
  /** For contracts that say nothing themselves. */
  readonly unknownProperties?: UnknownProperties | undefined;
  /** Gives the key of a request, for calls that name none. */
  readonly keyOf?: ((request: unknown) => string | undefined) | undefined;
}

export function clientMethod(contract: ContractDefinition, method: MethodDefinition, parts: ClientMethodParts): ClientMethod {
  const { service, version } = contract;
  const { name, input, output, items, timeoutMs, idempotent, oneWay, window } = method;
  const unknownProperties = unknownPropertiesOf(contract, parts.unknownProperties);
  const where = `${service}.${name}()`;
  const place = { where: `${items === null ? 'answer' : 'item'} of ${where}`, unknownProperties };
  const type = items ?? output;
  const { keyOf } = parts;
  const isOneWay = items === null && oneWay;
  const ahead = items === null ? undefined : window;
  const callOf = (payloadJson: string, options: CallOptions | undefined, request: unknown): OutgoingCall => {
    if (options?.requestId !== undefined && items !== null) throw notKept(where);
    if (options?.requestId !== undefined && !idempotent) throw notIdempotent(where);
    const { timeout, requestId, signal, instance, key } = options ?? NOTHING;
    // One literal, so that all calls have one shape: to put them together from parts costs a fifth of all that a caller does.
    return {
      service, version, method: name, payloadJson, idempotent, requestId, signal, instance,
      oneWay: isOneWay, window: ahead,
      timeoutMs: timeout === undefined ? timeoutMs : durationMs(timeout),
      headers: headersOf(options, where),
      key: key ?? (keyOf === undefined ? undefined : keyMade(keyOf, request, where)),
    };
  };
  return {
    where,
    prepare: (request, options) => {
      if (input === null) return callOf('null', request === undefined ? options : refuse(where), undefined);
      const text = encoded(input, { given: { payload: request, where }, unknownProperties, isSorted: false });
      if (typeof text === 'string') return callOf(text, options, request);
      // They are the caller's, who may change them meanwhile.
      const kept = options && Object.assign({}, options);
      return text.then((written) => callOf(written, kept, request));
    },
    isStreamed: items !== null,
    answered: (text) => (type === null ? undefined : decoded(type, parsed(text, place.where), place)),
  };
}

const NOTHING: CallOptions = Object.freeze({});

/** @throws MillraceError INVALID_INPUT: a key that is no text would lead all calls to one instance */
function keyMade(keyOf: (request: unknown) => unknown, request: unknown, where: string): string | undefined {
  let key: unknown;
  try {
    key = keyOf(request);
  } catch (cause) {
    throw keyless(where, `threw: ${asError(cause).message}. It gets undefined from methods without a request`, cause);
  }
  if (key === undefined || typeof key === 'string') return key;
  // The call is refused, and nobody would hear of its rejection.
  if (key instanceof Promise) key.catch(() => undefined);
  throw keyless(where, `gave ${typeof key === 'object' ? 'null or an object' : `a ${typeof key}`}: return text, or undefined for none`);
}

function keyless(where: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError('INVALID_INPUT', `${where} was not sent: the function 'key' of its client ${why}.`, { cause });
}

function headersOf(options: CallOptions | undefined, where: string): Readonly<Record<string, string>> | undefined {
  const given = options?.headers;
  if (given === undefined) return currentTrace() === null ? undefined : withTraceHeaders({}, MAX_HEADERS);
  assertHeaders(given, where);
  return withTraceHeaders(given, MAX_HEADERS);
}

function notIdempotent(where: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${where} is not idempotent, so a requestId would not keep it from being executed again: leave it out.`);
}

function notKept(where: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${where} answers with a stream, whose items are not kept for a repetition: leave the requestId out.`);
}

function refuse(where: string): never {
  throw new MillraceError('INVALID_INPUT', `${where} takes no request: give undefined, and the options behind it.`);
}

/** @throws MillraceError INVALID_PAYLOAD */
function parsed(text: string | null, where: string): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch (cause) {
    throw new MillraceError('INVALID_PAYLOAD', `${where}: the text is no JSON, so the answer is not known. The method may have been executed.`, { cause });
  }
}
