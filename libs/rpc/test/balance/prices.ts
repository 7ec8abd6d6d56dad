import { type CallOptions, Balancer, Registry, RpcClientOptions, RpcContract, rpcClient, type Serving } from '@millrace/rpc';
import { seededRandom, waitFor } from '@millrace/testing';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { afterEach } from '@jest/globals';
import { type Handle, type RpcGround, serve, SERVICE } from '../rpc-ground.js';
import type { RpcProcess } from '../rpc-process.js';

export class Ask {
  @IsOptional() @IsString() item?: string;
  @IsOptional() @IsInt() count?: number;
}

export class Price {
  @IsString() by!: string;
}

/** The service that instances of these tests serve. */
@RpcContract<PricesApi>('prices', {
  again: { input: Ask, output: Price, timeout: '30s', idempotent: true },
  once: { input: Ask, output: Price, timeout: '30s' },
  note: { input: Ask },
  tell: { input: Ask, oneWay: true },
})
export abstract class PricesApi {
  abstract again(ask: Ask, options?: CallOptions): Promise<Price>;
  abstract once(ask: Ask, options?: CallOptions): Promise<Price>;
  abstract note(ask: Ask, options?: CallOptions): Promise<void>;
  abstract tell(ask: Ask, options?: CallOptions): Promise<void>;
}

export interface Client {
  readonly prices: PricesApi;
  readonly balancer: Balancer;
}

type Options = Pick<RpcClientOptions, keyof RpcClientOptions>;

/** A client with options; its draws are the same in each run. */
export function client({ rpc }: RpcProcess, options: Options, seed = 1): Client {
  const balancer = new Balancer(rpc.instances, { random: seededRandom(seed) });
  return { balancer, prices: rpcClient(PricesApi, { calls: rpc, balancer, options }) };
}

type Rest = Parameters<typeof serve>[2] & { readonly handle?: Handle };

/** Serves the methods of the contract: each answers with a name. */
export function serveAs(process: RpcProcess, by: string, rest: Rest = {}): Promise<Serving> {
  const { handle = async () => JSON.stringify({ by }), ...others } = rest;
  const nothing = async (): Promise<null> => null;
  return serve(process, { again: handle, once: handle, note: nothing, tell: nothing }, others);
}

const METHODS = Object.fromEntries(['again', 'once', 'note', 'tell'].map((name) => [name, { idempotent: true, timeoutMs: 5_000, digest: '-' }]));

/**
 * Instances that are in the registry and have no stream, as those that vanish after they were chosen. Call it where `describe` is
 * called.
 */
export function ghosts(ground: RpcGround): (tags?: readonly string[]) => Promise<Pick<Serving, 'member'>> {
  const registries: Registry[] = [];
  afterEach(() => Promise.all(registries.splice(0).map((registry) => registry.stop())));
  return async (tags = []) => {
    const { redis, presence } = await ground.start();
    const registry = new Registry({ redis, presence, prefix: ground.prefix });
    registries.push(registry);
    const member = await presence.join();
    await registry.register({ ...SERVICE, member, methods: METHODS, tags });
    return { member };
  };
}

/** Resolves when the process knows that these members take calls, in any version. */
export async function sees({ rpc }: RpcProcess, servings: readonly Pick<Serving, 'member'>[]): Promise<void> {
  const members = servings.map(({ member }) => member).sort();
  await rpc.instances.use(SERVICE.service);
  const known = (): string[] => rpc.instances.instances({ service: SERVICE.service }).map(({ member }) => member).sort();
  await waitFor(() => JSON.stringify(known()) === JSON.stringify(members), { what: 'the instances to be known', timeoutMs: 20_000 });
}

/** How often each name is among the answers. */
export function countsOf(answers: readonly Price[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { by } of answers) counts[by] = (counts[by] ?? 0) + 1;
  return counts;
}
