import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalTls, RedisTls } from '@millrace/redis';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;

/** A certificate and its key, as paths. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** An authority of its own with what it signs, in a temporary folder. It needs `openssl` on the PATH. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
  /** The path of its certificate. */
  readonly ca = join(this.folder, 'ca.crt');
  readonly #key = join(this.folder, 'ca.key');

  constructor() {
    this.#openssl('req', '-x509', ...NEW_KEY, '-subj', '/CN=authority', '-days', '2', '-keyout', this.#key, '-out', this.ca);
  }

  /** @param names such as `DNS:redis.test,IP:127.0.0.1` */
  sign(name: string, names: string): Pair {
    const [cert, key, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) => join(this.folder, `${name}.${end}`)) as [string, string, string, string];
    writeFileSync(extensions, `subjectAltName=${names}\n`);
    this.#openssl('req', '-new', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    const authority = ['-CA', this.ca, '-CAkey', this.#key, '-CAcreateserial'];
    this.#openssl('x509', '-req', '-in', request, ...authority, '-days', '2', '-extfile', extensions, '-out', cert);
    return { cert, key };
  }

  /** How a server that was signed for these names speaks TLS. */
  server(names: string, { asksClients = false } = {}): LocalTls {
    return { ca: this.ca, ...this.sign(`server-${names.replaceAll(/\W/g, '-')}`, names), asksClients };
  }

  /** The options of a client that trusts what it signed. @param own the certificate that the client shows. Default: none */
  trust(own?: Pair): RedisTls {
    const text = (path: string): string => readFileSync(path, 'utf8');
    return { ca: text(this.ca), ...(own ? { cert: text(own.cert), key: text(own.key) } : {}) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
