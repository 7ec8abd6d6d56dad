/** A group at a moment. */
export interface GroupSample {
  readonly topic: string;
  readonly group: string;
  /** Messages. */
  readonly lag: number;
  /** Null when it is not known. */
  readonly lagSeconds: number | null;
  /** Entries. */
  readonly pending: number;
  readonly retrying: number;
  readonly members: number;
  readonly deadLetters: number;
}

/** Topics and groups at a moment. */
export interface PlatformSample {
  readonly topics: readonly { readonly topic: string; readonly messages: number }[];
  readonly groups: readonly GroupSample[];
}

/** Reads the state of the platform; null where another process does. It never waits for long, and never fails. */
export type PlatformSampler = () => Promise<PlatformSample | null>;
