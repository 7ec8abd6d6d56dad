import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';

/** How a local server speaks TLS, with clients and with other servers. Each file is named by its absolute path. */
export interface LocalTls {
  /** The certificate of the authority that signed those of servers and clients. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Whether clients have to show a certificate. Default false. */
  readonly asksClients?: boolean;
}

/** Settings of a server that trusts these files, by their names. */
export function trustSettings({ ca, cert, key, asksClients = false }: LocalTls): [name: string, value: string][] {
  return [['tls-ca-cert-file', ca], ['tls-cert-file', cert], ['tls-key-file', key], ['tls-auth-clients', asksClients ? 'yes' : 'no']];
}

/** How a client of ours trusts it. The name in its certificate may be any: the server is known by its port on 127.0.0.1. */
export async function clientTrust(tls: LocalTls | undefined): Promise<{ tls?: ConnectionOptions }> {
  if (!tls) return {};
  const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map((path) => readFile(path)));
  return { tls: { ca, cert, key, checkServerIdentity: () => undefined } };
}
