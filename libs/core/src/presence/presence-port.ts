/** `left`: the member left, or its process died while it was stopping. `dead`: its process died with all it held. */
export type Fate = 'living' | 'left' | 'dead';

/** A part that has to know when other processes fall silent. */
export interface Watcher {
  /** Names of the members that it wants to know about. */
  readonly watched: Iterable<string>;
  /** Called when one of them may have died, or has left and may not have given back all that it held. */
  readonly onGone: () => void;
  /** Called when this process says again that it lives, after others may have taken it for dead. */
  readonly onReturn: () => void;
  /** Called when one of them has begun to stop, or lives though it was taken for dead. */
  readonly onChanged?: () => void;
}

/** The sign of life of this process, whose members are parts of it that hold messages or serve calls, and those of others. */
export interface PresencePort {
  /** How much silence ends what a process holds, in milliseconds. */
  readonly leaseMs: number;
  /** Whether nobody can take this process for dead yet: only then its members may begin anything. */
  readonly isSure: boolean;
  /** Names a new member of this process; the name is never used again. Resolves when Redis knows that the process lives. */
  join(): Promise<string>;
  /** From now on the member counts as one that leaves, however its process ends. */
  stopping(member: string): void;
  /** The member is gone, and holds nothing. */
  departed(member: string): void;
  /** The member is gone: others are to take over at once what it could not give back. */
  left(member: string): Promise<void>;
  watch(watcher: Watcher): void;
  unwatch(watcher: Watcher): void;
  /** The fate of a member that somebody watches, or that belongs to this process. */
  fateOf(member: string): Fate;
}
