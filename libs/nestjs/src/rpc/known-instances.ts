import { Injectable } from '@nestjs/common';
import { Balancer, type Instance, type InstancesPort, type ServiceQuery } from '@millrace/rpc';
import { Connections } from '../module/connections.js';

/** The instances that take calls, for the clients of this process. */
@Injectable()
export class KnownInstances implements InstancesPort {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  async use(service: string): Promise<void> {
    await (await this.#connections.rpc()).instances.use(service);
  }

  /** None before there is a connection. */
  instances(query: ServiceQuery): readonly Instance[] {
    return this.#connections.openRpc?.instances.instances(query) ?? NONE;
  }
}

const NONE: readonly Instance[] = [];

/** One for all clients of the application. */
export const balancerProvider = {
  provide: Balancer,
  inject: [KnownInstances],
  useFactory: (instances: KnownInstances) => new Balancer(instances),
};
