import type { MemoryReply } from '../memory-redis/memory-redis.js';
import type { Wait } from '../memory-redis/streams/read.js';

export type Argument = string | number;

/** The reply to a command, or the error that Redis replies. */
export type Answer = { readonly reply: MemoryReply } | { readonly error: Error };

export interface Request {
  readonly command: string;
  readonly args: readonly Argument[];
  readonly answered: (answer: Answer) => void;
}

/** A command that waits inside the server, until something that it waits for happens or its time is up. */
export interface Blocked {
  readonly request: Request;
  /** Keys that it waits for; none for a command that waits for replicas. */
  readonly wait: Wait;
  readonly cancelTimer: () => void;
}

/** A client as the server knows it. */
export class Session {
  readonly id: number;
  readonly channels = new Set<string>();
  /** Commands that came while one of this client waits. */
  readonly backlog: Request[] = [];
  readonly heard: (channel: string, text: string) => void;
  blocked: Blocked | null = null;

  constructor(id: number, heard: (channel: string, text: string) => void) {
    this.id = id;
    this.heard = heard;
  }
}
