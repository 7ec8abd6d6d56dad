import { type Duration, IsDurationOption, IsFunction } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** Options of `@Idempotent`. */
export class IdempotentOptions {
  /** Whether a request without the header is refused with 400. Default false: it is executed, each time that it comes. */
  @IsOptional() @IsBoolean()
  required?: boolean = false;

  /**
   * How long an answer is kept, and at most twice as long; also the longest that a request may take. `'1m'` to `'30d'`. Default
   * `'24h'`.
   */
  @IsOptional() @IsDurationOption({ min: '1m', max: '30d' })
  ttl?: Duration = '24h';

  /**
   * Names the client, from the request of Express or Fastify; the keys of two clients never meet. Default: `id` or `sub` of
   * `request.user`, where guards have set it, else all requests are of one client.
   */
  @IsOptional() @IsFunction()
  by?: (request: never) => string | number | null | undefined = userOf;
}

interface UserRequest {
  readonly user?: { readonly id?: unknown; readonly sub?: unknown } | undefined;
}

/** As Passport and most guards leave it. */
function userOf({ user }: UserRequest): string | number | undefined {
  const name = user?.id ?? user?.sub;
  if (typeof name === 'string' || typeof name === 'number') return name;
  // It has no JSON.
  if (typeof name === 'bigint') return String(name);
  // An ObjectId: whatever its JSON is.
  return name === undefined || name === null ? undefined : JSON.stringify(name);
}
