import { expect } from '@jest/globals';
import { type Instance, type InstanceDefinition, type MethodSummary, Registry, registryKeys, type Registration } from '@millrace/rpc';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import type { Peer, PeerOptions } from './peer.js';
import { PeerBed } from './peer-bed.js';

/** Far longer than a test: no poll covers for a push that was missed. */
export const NO_POLL_MS = 3_600_000;

export const METHODS: Readonly<Record<string, MethodSummary>> = {
  charge: { idempotent: true, timeoutMs: 5_000, digest: 'd1' },
  refund: { idempotent: false, timeoutMs: 1_000, digest: 'd2' },
};

/** A process with a registry. */
export interface RegistryPeer extends Peer {
  readonly registry: Registry;
}

export type Tuning = Partial<Omit<InstanceDefinition, 'member'>>;

export type ServerPlan = PeerOptions & { readonly service: string; readonly pollMs?: number };

export class RegistryBed extends PeerBed {
  async start({ pollMs = NO_POLL_MS, url = this.server.url }: { pollMs?: number; url?: string } = {}): Promise<RegistryPeer> {
    return this.registryOf(await this.peer(url), pollMs);
  }

  registryOf<Of extends Peer>(peer: Of, pollMs = NO_POLL_MS): Of & RegistryPeer {
    const registry = new Registry({ redis: peer.redis, presence: peer.presence, prefix: this.prefix, pollMs });
    this.endWith(() => registry.stop());
    return { ...peer, registry };
  }

  async serve(peer: RegistryPeer, tuning: Tuning = {}): Promise<Registration> {
    const member = await peer.presence.join();
    return peer.registry.register({ service: 'payments', version: '1', methods: METHODS, member, ...tuning });
  }

  /** A process of its own that serves, and the name of its member. */
  async child(service = 'payments'): Promise<{ child: TypeScriptChild; member: string }> {
    const plan: ServerPlan = { ...this.options, service };
    const child = new TypeScriptChild(new URL('./fixtures/server.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    this.endWith(() => child.kill());
    return { child, member: await child.line() };
  }

  /** Resolves when a process sees exactly these members of the service that take calls. */
  async sees({ registry }: RegistryPeer, members: readonly string[], service = 'payments'): Promise<void> {
    const agree = (): boolean => {
      expect(registry.view.instances({ service }).map(({ member }) => member)).toEqual([...members].sort());
      return true;
    };
    await waitFor(agree, { what: `instances ${members.join(', ')}`, timeoutMs: 20_000 });
  }

  /** Members in Redis, past the tested code. */
  async stored(service = 'payments'): Promise<string[]> {
    const fields = (await this.command('HKEYS', registryKeys(this.prefix).instances)) as string[];
    return fields.filter((field) => field.startsWith(`${service}:`)).map((field) => field.split(':')[2]!).sort();
  }

  /** An entry of a living member that nobody pushed, and that no process keeps: like that of an instance, but for its member. */
  async slipIn(peer: RegistryPeer, like: Registration): Promise<string> {
    const [{ instances, state }, member] = [registryKeys(this.prefix), await peer.presence.join()];
    const text = String(await this.command('HGET', instances, `payments:1:${like.instance.member}`));
    await this.command('HSET', instances, `payments:1:${member}`, text.replaceAll(like.instance.member, member));
    await this.command('HINCRBY', state, 'version', 1);
    return member;
  }

  async version(): Promise<number> {
    return Number(await this.command('HGET', registryKeys(this.prefix).state, 'version'));
  }
}

/** Instances as something that can be compared. */
export function plain({ methods, metadata, ...rest }: Instance): object {
  return { ...rest, methods: Object.fromEntries(methods), metadata: Object.fromEntries(metadata) };
}
