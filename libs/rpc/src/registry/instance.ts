/** One method of a service, as far as its callers must agree with it. */
export interface MethodSummary {
  /** Whether a repeated call takes effect once. */
  readonly idempotent: boolean;
  /** How long a call may take, in milliseconds: 1 to 2^31 - 1. */
  readonly timeoutMs: number;
  /** Digest of all else in the contract that counts, such as the classes of payloads: up to 64 visible characters. */
  readonly digest: string;
}

/** An instance as a process registers it. Names are as those of topics. */
export interface InstanceDefinition {
  readonly service: string;
  readonly version: string;
  /** The member of this process that serves; its presence is that of the instance, and its name is the id of the instance. */
  readonly member: string;
  /** By name; up to 256. */
  readonly methods: Readonly<Record<string, MethodSummary>>;
  /** Up to 32 texts of up to 512 characters, by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Its share of the calls beside those of others: 1 to 1000. Default 100. */
  readonly weight?: number;
  /** Up to 32, of up to 128 characters each. */
  readonly tags?: readonly string[];
  /** It takes no new calls. Default false. */
  readonly draining?: boolean;
}

/** The parts of an instance that may change while it is registered. */
export type InstanceUpdate = Partial<Pick<InstanceDefinition, 'metadata' | 'weight' | 'tags' | 'draining'>>;

/** An instance as others read it: every value is within the bounds, whoever wrote it. */
export interface Instance {
  readonly service: string;
  readonly version: string;
  /** Its id: the name of a member of its process. */
  readonly member: string;
  readonly methods: ReadonlyMap<string, MethodSummary>;
  /** Digest of its methods: the same in all instances of a service and version that agree. */
  readonly contract: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** 1 to 1000. */
  readonly weight: number;
  readonly tags: readonly string[];
  readonly host: string;
  readonly pid: number;
  /** In Unix milliseconds, by the clock of its process: for display alone. */
  readonly startedAt: number;
  readonly draining: boolean;
}

export const INSTANCE_BOUNDS = {
  fieldBytes: 520,
  textBytes: 65_536,
  methods: 256,
  digestLength: 64,
  timeoutMs: 2 ** 31 - 1,
  metadata: 32,
  metadataName: 128,
  metadataValue: 512,
  tags: 32,
  tag: 128,
  host: 255,
  weight: 1_000,
} as const;

export const DEFAULT_WEIGHT = 100;

/** A name of a member: the presence makes it. */
export const MEMBER_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/;
