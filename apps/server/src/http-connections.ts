import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef } from '@nestjs/core';
import { shutdownTimeoutOf } from '@millrace/nestjs';

/**
 * Ends the connections of the server alone when it stops. Node would wait for each of them, also for one that has sent nothing or
 * half a request, and looks at no timeout of requests any more.
 */
@Injectable()
export class HttpConnections implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger('Millrace');
  readonly #host: HttpAdapterHost;
  readonly #modules: ModuleRef;
  /** Each with the answers that have not been sent: several, where its client sends requests without waiting for them. */
  readonly #open = new Map<Socket, Set<ServerResponse>>();

  constructor(host: HttpAdapterHost, modules: ModuleRef) {
    this.#host = host;
    this.#modules = modules;
  }

  onApplicationBootstrap(): void {
    this.#server.on('connection', (socket: Socket) => {
      this.#open.set(socket, new Set());
      socket.once('close', () => this.#open.delete(socket));
    });
    this.#server.on('request', ({ socket }, response) => {
      const answers = this.#open.get(socket);
      answers?.add(response);
      response.once('close', () => answers?.delete(response));
    });
  }

  /** Accepts none any more, and resolves when all have ended: requests that run have the time of handlers. */
  async beforeApplicationShutdown(): Promise<void> {
    // That of HTTP would break off an answer that is complete here, and not sent yet.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.#server, resolve));
    for (const [socket, answers] of this.#open) {
      // A request that has not come in whole does not run.
      const last = [...answers].filter(({ req }) => req.complete).at(-1);
      if (last === undefined) socket.destroy();
      else endBehind(last, socket);
    }
    const graceMs = shutdownTimeoutOf(this.#modules);
    const late = setTimeout(() => this.#cutOff(graceMs), graceMs);
    await closed;
    clearTimeout(late);
  }

  /** Nest makes it later than providers. */
  get #server(): Server {
    return this.#host.httpAdapter.getHttpServer() as Server;
  }

  #cutOff(graceMs: number): void {
    const { size } = this.#open;
    this.#logger.warn(`${size} ${size === 1 ? 'request' : 'requests'} did not end in ${graceMs / 1_000} s: cut off`);
    for (const socket of this.#open.keys()) socket.destroy();
  }
}

/** The client is told that the connection ends with this answer, so that it sends nothing behind it. */
function endBehind(response: ServerResponse, socket: Socket): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
  response.once('close', () => socket.destroySoon());
}
