import type { BenchServer } from '../servers/server.js';
import type { Arrival } from '../sides/messages.js';

/** Microseconds a message. */
export interface Cpu {
  readonly producer: number;
  readonly consumer: number;
  readonly server: number;
  readonly total: number;
}

/** One saturated run. */
export interface Run {
  /** Messages a second, from the first publish to the last handler. */
  readonly perSecond: number;
  readonly cpu: Cpu;
}

/** Acknowledgements follow the last handler; they belong to the run. */
export const SETTLE_MS = 50;

/** The processes of one contender, and the server between them, which is not closed with them. */
export interface Sides {
  readonly server: BenchServer;
  saturate(count: number): Promise<Run>;
  /** How long messages take when they come one by one. */
  pace(rate: number, count: number): Promise<Arrival>;
  close(): Promise<void>;
}
