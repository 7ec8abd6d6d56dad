import type { HttpRequest } from './request-key.js';

/** The metadata of `@Idempotent`. */
export const IDEMPOTENT = 'millrace:idempotent';

export interface IdempotencyRules {
  readonly isRequired: boolean;
  readonly keepMs: number;
  readonly clientOf: (request: HttpRequest) => string | number | null | undefined;
}
