import type { OutgoingCall, RpcRequest, ServiceDefinition, Serving } from '@millrace/rpc';
import { StandaloneSite, TcpProxy, type TestRedis } from '@millrace/testing';
import type { RpcProcess, RpcProcessOptions } from './rpc-process.js';
import { SiteGround } from './site-ground.js';

export { LEASE_MS } from './site-ground.js';

export type Handle = (request: RpcRequest) => Promise<string | null>;

/** The same on one server. */
export class RpcGround extends SiteGround<StandaloneSite> {
  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string) {
    super(name, () => StandaloneSite.start());
  }

  get server(): TestRedis {
    return this.site.server;
  }

  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.near('', name, ...args);
  }

  /** A process whose own network can be broken. */
  async startBehindProxy(options: Partial<RpcProcessOptions> = {}): Promise<{ process: RpcProcess; proxy: TcpProxy }> {
    const proxy = this.add(await TcpProxy.start(this.server.url));
    return { proxy, process: await this.start({ ...options, target: { url: proxy.url } }) };
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
