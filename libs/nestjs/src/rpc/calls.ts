import { Inject, Injectable } from '@nestjs/common';
import {
  type CallPort, ClientStream, type ContractClass, type MethodFigures, type MethodName, type OutgoingCall, RemoteMethod,
  type RemoteMethodOf,
} from '@millrace/rpc';
import type { Settings } from '../config/settings.js';
import { Connections } from '../module/connections.js';
import { SETTINGS } from '../module/tokens.js';

/** Calls services over Redis. Once there is a connection, nothing is waited for. */
@Injectable()
export class Calls implements CallPort {
  readonly #connections: Connections;
  readonly #settings: Settings;

  constructor(connections: Connections, @Inject(SETTINGS) settings: Settings) {
    this.#connections = connections;
    this.#settings = settings;
  }

  /** Makes a call without a contract: the client of a contract does all this. See {@link OutgoingCall}. */
  call(call: OutgoingCall): Promise<string | null> {
    const { openRpc } = this.#connections;
    return openRpc ? openRpc.call(call) : this.#connections.rpc().then((rpc) => rpc.call(call));
  }

  /**
   * One method of a service: to start a call whose result is fetched later, and to call all instances.
   *
   * @throws MillraceError NOT_A_CONTRACT, UNKNOWN_METHOD
   */
  method<C extends object, M extends MethodName<C>>(contract: ContractClass<C>, name: M): RemoteMethodOf<C, M> {
    const { unknownProperties } = this.#settings;
    return new RemoteMethod(contract, name, { port: () => this.#connections.rpc(), unknownProperties });
  }

  /** The figures of each method that this process has called or executed since it started; none before it is connected. */
  figures(): readonly MethodFigures[] {
    return this.#connections.openRpc?.figures() ?? [];
  }

  stream(call: OutgoingCall): AsyncIterable<string> {
    const { openRpc } = this.#connections;
    if (openRpc) return openRpc.stream(call);
    // No generator: one that waits for an item could not be left.
    return new ClientStream({ open: () => this.#connections.rpc().then((rpc) => rpc.stream(call)), decode: (text) => text });
  }
}
