import type { IncomingMessage } from 'node:http';
import { ForbiddenException } from '@nestjs/common';

/**
 * A browser says where a request comes from. The address that it was sent to must be that of the page.
 *
 * @throws ForbiddenException
 */
export function refuseOtherSites({ headers }: IncomingMessage): void {
  const { host, origin } = headers;
  const site = headers['sec-fetch-site'] ?? 'none';
  if ((site === 'none' || site === 'same-origin') && (origin === undefined || isOf(origin, host))) return;
  throw new ForbiddenException('A page of another site has sent this. Only pages of this server may.');
}

function isOf(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
