import type { Keyspace } from './keyspace.js';
import type { Reply } from './reply.js';

/** All that a command may use. */
export interface Context {
  readonly keys: Keyspace;
  readonly nowMs: () => number;
  /** Microseconds of the current second, and whole seconds. */
  readonly time: () => readonly [seconds: number, microseconds: number];
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Hands a message to those who listen, and returns how many they are. */
  readonly publish: (channel: string, text: string) => number;
  /** How many listen in a channel. */
  readonly listeners: (channel: string) => number;
  /** Is notified of a stream that has new entries or is gone, so that its readers look again. */
  readonly changed: (key: string) => void;
  readonly isFull: () => boolean;
}

export interface Command {
  /** As Redis counts: with the name; negative for at least so many. */
  readonly arity: number;
  readonly isWrite: boolean;
  /** Whether a full Redis refuses it. */
  readonly grows: boolean;
  readonly run: (context: Context, args: string[]) => Reply;
}

export type Commands = Readonly<Record<string, Command>>;
type Run = Command['run'];

export function reads(arity: number, run: Run): Command {
  return { arity, isWrite: false, grows: false, run };
}

export function writes(arity: number, run: Run): Command {
  return { arity, isWrite: true, grows: false, run };
}

export function grows(arity: number, run: Run): Command {
  return { arity, isWrite: true, grows: true, run };
}
