import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { MillraceError } from '@millrace/core';

/**
 * All ports lie below those that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): a client that
 * tries to reconnect to a stopped server on one of those may be given that very port and so take the server's place.
 */
const LOWEST = 20_000;
/** The port this far above another one stands for it while nobody listens there: who listens on it holds the other one. */
const ABOVE = 6_384;
const HIGHEST = LOWEST + ABOVE - 1;
const TRIES = 50;
const HOLD_TRIES = 5;
const HOLD_PAUSE_MS = 20;

/**
 * A TCP port of 127.0.0.1 that nobody listens on at this moment, and that nobody holds ({@link holdPort}).
 *
 * @throws MillraceError PORT_IN_USE when none is found
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(LOWEST, HIGHEST + 1);
    if (await isPortFree(port)) return port;
  }
  throw new MillraceError('PORT_IN_USE', `No free port was found on 127.0.0.1 in ${TRIES} tries between ${LOWEST} and ${HIGHEST}.`);
}

/** Whether {@link freePort} may give this port of 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  // In this order: who goes away from a port holds it before, and lets go of it after it has come back.
  for (const each of [port, port + ABOVE, port]) {
    const server = await listen(each);
    if (server === null) return false;
    await close(server);
  }
  return true;
}

/**
 * Lets a server listen on a free port of 127.0.0.1.
 *
 * @returns the port
 * @throws MillraceError PORT_IN_USE when none is found
 */
export async function listenOnFreePort(server: Server): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return port;
    } catch (thrown) {
      // Another process was given it at the same moment.
      if (!isInUse(thrown) || tries === TRIES) throw thrown;
    }
  }
}

/**
 * Keeps a port that {@link freePort} gave from being given again while nobody listens on it, in any process: for a server that
 * goes away and is to come back. Call it before the server goes, and the function that it returns when the server is back.
 */
export async function holdPort(port: number): Promise<() => Promise<void>> {
  for (let tries = 1; tries <= HOLD_TRIES; tries += 1) {
    const holder = await listen(port + ABOVE);
    if (holder !== null) {
      holder.unref();
      return () => close(holder);
    }
    await setTimeout(HOLD_PAUSE_MS);
  }
  // Somebody else listens there for long, which holds the port as well.
  return () => Promise.resolve();
}

/** @returns null when somebody listens there */
async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch (thrown) {
    if (isInUse(thrown)) return null;
    throw thrown;
  }
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  await new Promise((resolve) => server.close(resolve));
}

function isInUse(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
