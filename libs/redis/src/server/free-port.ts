import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { MillraceError } from '@millrace/core';

/**
 * All ports lie below those that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): a client that
 * tries to reconnect to a stopped server on one of those may be given that very port and so take the server's place.
 */
const LOWEST = 20_000;
const HIGHEST = 32_767;
const TRIES = 50;

/**
 * A TCP port of 127.0.0.1 that nobody listens on at this moment.
 *
 * @throws MillraceError PORT_IN_USE when none is found
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(LOWEST, HIGHEST + 1);
    if (await isFree(port)) return port;
  }
  throw new MillraceError('PORT_IN_USE', `No free port was found on 127.0.0.1 in ${TRIES} tries between ${LOWEST} and ${HIGHEST}.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
