export type ServerKind = 'redis' | 'nats' | 'rabbitmq';

/** A server of the benchmark's own, on a free port of 127.0.0.1. */
export interface BenchServer {
  readonly url: string;
  /** The id of the process whose CPU is the server's. */
  readonly pid: number;
  stop(): Promise<void>;
}
