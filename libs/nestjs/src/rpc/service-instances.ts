import { Injectable } from '@nestjs/common';
import type { Instance, InstancesListener } from '@millrace/rpc';
import { Connections } from '../module/connections.js';

/** The live instances of services, of all applications under this prefix. */
@Injectable()
export class ServiceInstances {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  /**
   * All instances of all services, those that drain included; sorted by service, version and member.
   *
   * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED
   */
  async list(): Promise<readonly Instance[]> {
    return (await this.#connections.rpc()).instances.list();
  }

  /**
   * The instances of a service that take calls, as far as this process knows; it is told of each change, and goes on answering
   * while Redis is away.
   *
   * @param version default: all versions
   * @throws MillraceError INVALID_NAME; REDIS_UNREACHABLE when the first look finds no Redis within 5 seconds
   */
  async of(service: string, version?: string): Promise<readonly Instance[]> {
    const { instances } = await this.#connections.rpc();
    await instances.use(service);
    return instances.instances({ service, version });
  }

  /**
   * Calls the listener after each change with all instances of the service, those that drain included.
   *
   * @returns a function that stops it
   * @throws MillraceError INVALID_NAME
   */
  async watch(service: string, listener: InstancesListener): Promise<() => void> {
    return (await this.#connections.rpc()).instances.watch(service, listener);
  }
}
