import type { RedisConnection } from '@millrace/redis';

/** A command that carries requests, whichever way they go. */
export interface Sending {
  /** Header and payload of each. */
  readonly frames: readonly string[];
  readonly send: () => Promise<unknown>;
}

/** Has each command by which a process sends requests over this connection done by `instead`; it does nothing but call. */
export function replaceSending(connection: RedisConnection, instead: (sending: Sending) => Promise<unknown>): void {
  const [call, run] = [connection.call.bind(connection), connection.run.bind(connection)];
  connection.call = (command, ...args) => {
    const send = (): Promise<unknown> => call(command, ...args);
    return command === 'XADD' ? instead({ frames: [String(args[3]), String(args[4])], send }) : send();
  };
  connection.run = (script, keys, args) => {
    const send = (): Promise<unknown> => run(script, keys, args);
    return script.name === 'send.lua' ? instead({ frames: args.slice(1).map(String), send }) : send();
  };
}
