import { isName } from '@millrace/core';
import { RpcNoInstanceError } from '../errors.js';
import type { RegistryView } from '../registry/registry-view.js';
import type { OutgoingCall } from './outgoing-call.js';

/** Knows whether a service is served, before a call of it is sent. */
export class Directory {
  readonly #view: RegistryView;
  /** Services that were found to be served: names that nobody has would be kept up to date for nothing. */
  readonly #found = new Set<string>();

  constructor(view: RegistryView) {
    this.#view = view;
  }

  /**
   * Resolves when the call may be sent; null when it may at once, as every call of a service that is known to be served.
   *
   * @throws RpcNoInstanceError nobody serves it
   */
  before(call: OutgoingCall): Promise<void> | null {
    // The name of a service is checked where the call is sent.
    if (call.instance !== undefined || !isName(call.service)) return null;
    if (this.#found.has(call.service) && this.#view.instances(call).length > 0) return null;
    return this.#asked(call);
  }

  /** Whether an instance takes calls of the service, as far as this process knows. */
  isServed(call: OutgoingCall): boolean {
    return this.#view.instances(call).length > 0;
  }

  /** A service that cannot be looked up, as Redis is away, is called all the same: the deadline of the call decides. */
  async #asked(call: OutgoingCall): Promise<void> {
    const { service, version } = call;
    const isServed = await this.#view.isServed(call).catch(() => null);
    if (isServed === true) this.#found.add(service);
    if (isServed !== false) return;
    throw new RpcNoInstanceError(`No instance of service '${service}' in version '${version}' is running: start one, then call again.`);
  }
}
