import { MillraceError, quote } from '@millrace/core';

/**
 * Checks a Redis URL before anything connects with it.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertRedisUrl(url: unknown): asserts url is string {
  if (typeof url === 'string' && /^(rediss?|unix):\/\/./.test(url) && (url.startsWith('unix:') || URL.canParse(url))) return;
  const shown = typeof url === 'string' ? maskUrl(url) : quote(url);
  throw new MillraceError('INVALID_OPTIONS', `${shown} is no URL of a Redis: write redis://host:6379, or rediss:// for TLS.`);
}

/** A URL as it may be shown: without its password. */
export function maskUrl(url: string): string {
  return url.replace(/\/\/([^:@/]*):[^@/]*@/, '//$1:***@');
}
