import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import type { OutgoingCall, RpcRequest, ServiceDefinition, Serving } from '@millrace/rpc';
import { startTestRedis, TcpProxy, type TestRedis, uniqueName } from '@millrace/testing';
import { type RpcProcess, type RpcProcessOptions, startRpcProcess } from './rpc-process.js';

export const LEASE_MS = 400;

export type Handle = (request: RpcRequest) => Promise<string | null>;

/** A Redis with processes that call and serve under one prefix, and direct access. After each test no call may be pending. */
export class RpcGround {
  server!: TestRedis;
  prefix!: string;
  #direct!: StandaloneTopology;
  #processes: RpcProcess[] = [];
  #proxies: TcpProxy[] = [];

  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string) {
    beforeAll(async () => {
      this.server = await startTestRedis();
      this.#direct = await connectServer({ url: this.server.url, name: 'spec' });
    });
    beforeEach(() => void (this.prefix = uniqueName(name)));
    afterEach(() => this.#clear());
    afterAll(async () => {
      this.#direct.close();
      await this.server.stop();
    });
  }

  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.control.call(name, ...args);
  }

  async start(options: Partial<RpcProcessOptions> = {}): Promise<RpcProcess> {
    const process = await startRpcProcess({ url: this.server.url, prefix: this.prefix, leaseMs: LEASE_MS, ...options });
    this.#processes.push(process);
    return process;
  }

  /** A process whose own network can be broken. */
  async startBehindProxy(options: Partial<RpcProcessOptions> = {}): Promise<{ process: RpcProcess; proxy: TcpProxy }> {
    const proxy = await TcpProxy.start(this.server.url);
    this.#proxies.push(proxy);
    return { proxy, process: await this.start({ ...options, url: proxy.url }) };
  }

  async #clear(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
    await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.stop()));
    for (const { rpc } of this.#processes.splice(0)) {
      expect(rpc.callerCounters.inFlight).toBe(0);
      expect(rpc.serverCounters.inFlight).toBe(0);
    }
  }
}

export const SERVICE = { service: 'prices', version: '1' };

interface ServeRest extends Partial<Pick<ServiceDefinition, 'version' | 'weight' | 'tags' | 'metadata'>> {
  readonly concurrency?: number;
  readonly idempotent?: boolean;
}

/** Serves methods of these names, which are idempotent. */
export function serve({ rpc }: RpcProcess, methods: Record<string, Handle>, rest: ServeRest = {}): Promise<Serving> {
  const { concurrency = 16, idempotent = true, ...definition } = rest;
  const served = new Map(Object.entries(methods).map(([name, handle]) => [name, { idempotent, handle }]));
  return rpc.serve({ ...SERVICE, ...definition, concurrency, methods: served });
}

export function call({ rpc }: RpcProcess, method: string, options: Partial<OutgoingCall> = {}): Promise<string | null> {
  return rpc.call({ ...SERVICE, method, payloadJson: '1', timeoutMs: 10_000, idempotent: true, ...options });
}

/** The error that a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  return promise.then(
    (value) => {
      throw new Error(`It resolved with ${String(value)}.`);
    },
    (error: unknown) => error as Error,
  );
}

/** A method that ends when its signal aborts, and says that it has begun. */
export function untilAborted(begun: () => void, aborted: () => void, answer: string | null = null): Handle {
  return ({ signal }) => {
    begun();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        aborted();
        resolve(answer);
      });
    });
  };
}

/** A promise with its resolver. */
export function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open!: () => void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}
