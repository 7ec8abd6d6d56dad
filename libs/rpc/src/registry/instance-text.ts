import type { Instance, MethodSummary } from './instance.js';

/** The text of an instance behind its contract and a space, as JSON. */
export interface StoredInstance {
  readonly member: string;
  /** By name: 1 for one that is idempotent or 0, its timeout in milliseconds, and the digest of the rest. */
  readonly methods: Readonly<Record<string, readonly [idempotent: 0 | 1, timeoutMs: number, digest: string]>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly draining: boolean;
}

export function fieldOf({ service, version, member }: Pick<Instance, 'service' | 'version' | 'member'>): string {
  return `${siblingsOf({ service, version })}${member}`;
}

/** The beginning of the fields of all instances of a service in a version. */
export function siblingsOf({ service, version }: Pick<Instance, 'service' | 'version'>): string {
  return `${service}:${version}:`;
}

/** Digest of the methods, a space, and JSON. */
export function textOf(instance: Instance): string {
  const { member, methods, contract, metadata, weight, tags, host, pid, startedAt, draining } = instance;
  const stored: StoredInstance = {
    member, weight, tags, host, pid, startedAt, draining,
    methods: Object.fromEntries([...methods].map(([name, summary]) => [name, storedMethod(summary)])),
    metadata: Object.fromEntries(metadata),
  };
  return `${contract} ${JSON.stringify(stored)}`;
}

function storedMethod({ idempotent, timeoutMs, digest }: MethodSummary): [0 | 1, number, string] {
  return [idempotent ? 1 : 0, timeoutMs, digest];
}
