/** Something on its way between a client and a Redis in memory. */
export interface Packet {
  /** The name of the connection: `orders:publish`. */
  readonly connection: string;
  /** `connect`: the connection itself is being made. `message`: of a channel. */
  readonly direction: 'connect' | 'request' | 'reply' | 'message';
  /** `XREADGROUP`; that of the request for a `reply`, empty for `connect` and `message`. */
  readonly command: string;
  /** The arguments of the command; those of EVALSHA begin with the digest of the script. */
  readonly args: readonly (string | number)[];
}

/**
 * How a packet fares:
 * - a number: it arrives after so many milliseconds, and behind those that were sent before it;
 * - `lost`: the connection ends in its place. A command whose request was lost was not executed, one whose reply was lost was;
 * - `silent`: neither it nor anything behind it arrives, and the connection stays open until its time limits end it.
 */
export type PacketFate = number | 'lost' | 'silent';

/** Calls `work` after so many milliseconds, in a turn of its own. @returns a function that prevents it */
export type After = (ms: number, work: () => void) => () => void;

/** The network of one process, and the timers of its two ends. */
export interface MemoryNetwork {
  /** Is asked once for each packet. Default: each arrives at once. */
  readonly fate?: (packet: Packet) => PacketFate;
  /** Brings packets to the server. Default: a timer, or an immediate without a delay. */
  readonly atServer?: After;
  /** Brings packets to the client. Default as for the server. */
  readonly atClient?: After;
}
