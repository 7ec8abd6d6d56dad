import { Inject, Injectable } from '@nestjs/common';
import { type Admin, createAdmin, operationOf, type View } from '@millrace/admin';
import { QueueDirectory } from '@millrace/jobs';
import type { Settings } from '../config/settings.js';
import { Queues } from '../jobs/queues.js';
import { Connections } from './connections.js';
import { SETTINGS } from './tokens.js';

interface Opened {
  readonly admin: Admin;
  readonly queues: QueueDirectory;
}

/** The use cases of operators, on the connections and the queues of this process. */
@Injectable()
export class Administration {
  readonly #settings: Settings;
  readonly #connections: Connections;
  readonly #queues: Queues;
  #opening: Promise<Opened> | null = null;

  constructor(@Inject(SETTINGS) settings: Settings, connections: Connections, queues: Queues) {
    this.#settings = settings;
    this.#connections = connections;
    this.#queues = queues;
  }

  /**
   * Runs an operation of `@millrace/admin` by its name: `topics.info`.
   *
   * @param target the parts of its path, by their names in it
   * @param options its options, with `actor` where it is an action
   * @returns null where the one thing that was asked for is not there
   * @throws MillraceError INVALID_OPTIONS for an unknown name, and the errors of the operation
   */
  async run(name: string, target: Readonly<Record<string, string>>, options: object): Promise<unknown> {
    const operation = operationOf(name);
    return operation.run(await this.#admin(), target, options as never);
  }

  /**
   * The same for somebody who may not see everything.
   *
   * @returns its `run` rejects with FORBIDDEN, too
   */
  seenBy(view: View): Pick<Administration, 'run'> {
    return {
      run: async (name, target, options) => operationOf(name).run((await this.#admin()).seenBy(view), target, options as never),
    };
  }

  async #admin(): Promise<Admin> {
    this.#opening ??= this.#open();
    return (await this.#opening).admin;
  }

  /** Ends the connection to queues of other processes, if one was opened. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => null);
    await opened?.queues.close();
  }

  async #open(): Promise<Opened> {
    const connections = this.#connections;
    const [redis, streams, rpc] = await Promise.all([connections.redis(), connections.streams(), connections.rpc()]);
    const { prefix, redis: target } = this.#settings;
    const queues = new QueueDirectory({ redis, target, prefix, own: this.#queues });
    return { admin: createAdmin({ redis, prefix, streams, rpc, queues }), queues };
  }
}
