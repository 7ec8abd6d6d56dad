export type RedisArgument = string | number;

export interface DriverEvents {
  readonly ready: () => void;
  /** A connection ended, or could not be made. */
  readonly close: () => void;
  /** None is made any more by itself. */
  readonly end: () => void;
  readonly error: (error: unknown) => void;
  readonly smessage: (channel: string, text: string) => void;
  /** A channel that was subscribed to has gone to another node of a Cluster: nothing comes of it any more. */
  readonly moved: () => void;
}

/**
 * The part of a client of Redis that a connection stands on: ioredis, or one to a Redis inside the process. It connects again by
 * itself until it is disconnected, and sends no command twice. The errors of its commands have the texts of Redis or ioredis.
 */
export interface RedisDriver {
  /** `ready` while commands can be sent; any other text means that they cannot. */
  readonly status: string;
  on<Name extends keyof DriverEvents>(event: Name, listener: DriverEvents[Name]): unknown;
  connect(): Promise<void>;
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;
  ssubscribe(...channels: string[]): Promise<unknown>;
  sunsubscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}
