import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { durationMs, parseOptions } from '@millrace/core';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { IdempotentOptions } from './idempotent-options.js';
import { IDEMPOTENT, type IdempotencyRules } from './idempotency-rules.js';

/**
 * Makes a route of a controller, or all of them, safe to repeat: requests with the header `Idempotency-Key` (draft of the IETF)
 * are executed once. One that comes again gets the answer of the first, with the header `Idempotency-Replayed: true`; with
 * another method, address or body it gets 422; while the first is being executed 409. GET, HEAD and OPTIONS are left alone.
 *
 * Answers below 500 are kept, but for 400, 401, 403, 408, 425 and 429; after the others the key is free again. An answer is kept
 * as JSON of up to 64 KiB; in place of a larger one, a stream, or one that the route sends by `@Res()`, a repetition gets 410.
 *
 * A process that dies while it executes a request leaves its key in progress until it is known to be dead, a lease later; then a
 * repetition is executed. So what a handler had done by then may be done twice: do it in one transaction of a database, or by
 * messages with the same key.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function Idempotent(options: IdempotentOptions = {}): ClassDecorator & MethodDecorator {
  const { required, ttl, by } = parseOptions(IdempotentOptions, options, '@Idempotent()');
  const rules: IdempotencyRules = { isRequired: required, keepMs: durationMs(ttl), clientOf: by as IdempotencyRules['clientOf'] };
  return applyDecorators(SetMetadata(IDEMPOTENT, rules), UseInterceptors(IdempotencyInterceptor));
}
