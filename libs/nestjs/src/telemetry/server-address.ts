import type { RedisTarget } from '@millrace/redis';
import type { ServerAddress } from '@millrace/telemetry';

const DEFAULT_PORT = 6379;

/** The one server that this process uses, as it is configured; null for a Cluster and for Sentinels, which have several. */
export function serverAddressOf(target: RedisTarget): ServerAddress | null {
  if (!('url' in target) || !URL.canParse(target.url)) return null;
  const { protocol, hostname, port, pathname } = new URL(target.url);
  if (protocol === 'unix:') return { address: decodeURIComponent(pathname) };
  return { address: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? DEFAULT_PORT : Number(port) };
}
