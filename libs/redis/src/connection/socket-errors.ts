import type { Socket } from 'node:net';
import type { AbstractConnector, Redis } from 'ioredis';

/**
 * Node may emit a second error of a TLS connection, as when a server complains about a client that has refused its certificate;
 * ioredis listens for the first one alone, and an error that nobody hears ends the process.
 *
 * @returns the same client
 */
export function hearingErrors(redis: Redis): Redis {
  const { connector } = redis as unknown as { readonly connector: AbstractConnector };
  const connect = connector.connect.bind(connector);
  connector.connect = async (tell) => hearErrorsOf(await connect(tell));
  return redis;
}

/** @returns the same socket */
export function hearErrorsOf<Stream extends Socket>(stream: Stream): Stream {
  return stream.on('error', nothing);
}

function nothing(): void {
  // The first error was reported.
}
