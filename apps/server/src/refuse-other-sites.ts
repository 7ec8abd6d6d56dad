import type { IncomingMessage } from 'node:http';
import { ForbiddenException } from '@nestjs/common';

/**
 * A browser says where a request comes from. The address that it was sent to must be that of the page, or the page one of those
 * that are named.
 *
 * @param origins of pages that may send requests: `https://ops.example.com`
 * @throws ForbiddenException
 */
export function refuseOtherSites({ headers }: IncomingMessage, origins: readonly string[]): void {
  const { host, origin } = headers;
  if (origin !== undefined && origins.includes(origin.toLowerCase())) return;
  const site = headers['sec-fetch-site'] ?? 'none';
  if ((site === 'none' || site === 'same-origin') && (origin === undefined || isOf(origin, host))) return;
  throw new ForbiddenException(
    'A page of another site has sent this. Only pages of this server may: where a proxy writes another Host, name its origin in the option origins.',
  );
}

function isOf(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/** Whether it is an origin as browsers send it. */
export function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !/^https?:/i.test(value) || !URL.canParse(value)) return false;
  return new URL(value).origin === value.toLowerCase();
}
