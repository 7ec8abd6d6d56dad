import { join } from 'node:path';
import { freePort, TypeScriptChild } from '@millrace/testing';
import { COMPILED } from './cli-bed.js';

const MAIN = new URL('../../server/src/main.ts', import.meta.url);
const APPLICATION = join(COMPILED, 'apps/cli/test/fixtures/served.module.js');

/** The server of the HTTP API as a process of its own, with one token. */
export class ServerProcess {
  readonly url: string;
  readonly #child: TypeScriptChild;

  private constructor(url: string, child: TypeScriptChild) {
    this.url = url;
    this.#child = child;
  }

  /** Resolves when it listens. */
  static async start(env: NodeJS.ProcessEnv, token: string): Promise<ServerProcess> {
    const port = await freePort();
    const own = { MILLRACE_APP: APPLICATION, MILLRACE_PORT: `${port}`, MILLRACE_TOKEN: token, MILLRACE_HTTP_CALLS: '1' };
    const child = new TypeScriptChild(MAIN, { env: { ...env, ...own } });
    let line = '';
    while (!line.includes('listening on')) line = await child.line();
    return new ServerProcess(`http://127.0.0.1:${port}`, child);
  }

  async stop(): Promise<void> {
    await this.#child.kill('SIGTERM');
  }
}
