import type { IncomingMessage } from 'node:http';
import { BadRequestException } from '@nestjs/common';

const NAMES = ['token', 'access_token'];

/**
 * Refuses a token in the address before anything looks at it, so that this is no failed attempt.
 *
 * @throws BadRequestException
 */
export function refuseTokensInAddress({ url = '' }: IncomingMessage): void {
  const search = new URLSearchParams(url.split('?').slice(1).join('?'));
  if (!NAMES.some((name) => search.has(name))) return;
  throw new BadRequestException('A token in an address is seen by logs: send it as the header Authorization: Bearer <token>.');
}
