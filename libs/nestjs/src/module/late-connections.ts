import type { FactoryProvider } from '@nestjs/common';
import {
  asError, type HalfPort, type Outgoing, type OutgoingHalf, type OutgoingMessage, Publisher, type PublishPort, type PublishResult,
  type SendOptions, type StoredHalf,
  type SqlResult, type SqlTransaction, type TopicDefinition,
} from '@millrace/core';
import { JobQueue } from '@millrace/jobs';
import type { SqlDatabase, SqlDialect } from '@millrace/outbox';
import { DeadLetters, Groups, Halves, Inspector, Orders, Topics } from '@millrace/streams';
import type { Settings } from '../config/settings.js';
import { Queues } from '../jobs/queues.js';
import { Connections } from './connections.js';
import { DATABASE, SETTINGS } from './tokens.js';

/** Objects that services inject before the connections exist; each call waits for them. */
export const lateConnections: FactoryProvider[] = [
  { provide: Publisher, inject: [Connections, SETTINGS], useFactory: latePublisher },
  { provide: JobQueue, inject: [Queues, SETTINGS], useFactory: lateJobQueue },
  late('inspector', Inspector),
  late('deadLetters', DeadLetters),
  late('groups', Groups),
  late('orders', Orders),
  late('topics', Topics),
  late('halves', Halves),
  { provide: DATABASE, inject: [Connections, SETTINGS], useFactory: lateDatabase },
];

function latePublisher(connections: Connections, { unknownProperties }: Settings): Publisher {
  return new Publisher(new LatePort(connections), unknownProperties);
}

function lateJobQueue(queues: Queues, { unknownProperties }: Settings): JobQueue {
  return new JobQueue((name) => queues.find(name), unknownProperties);
}

function lateDatabase(connections: Connections, { databaseSource }: Settings): SqlDatabase {
  return new LateDatabase(connections, databaseSource?.dialect ?? 'postgres');
}

/** Once there is a connection, nothing is waited for. */
class LatePort implements PublishPort, Pick<HalfPort, 'storeHalf'> {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  publish(topic: TopicDefinition, message: OutgoingMessage, sendOptions?: SendOptions): Promise<PublishResult> {
    const { openStreams } = this.#connections;
    if (openStreams) return openStreams.publish(topic, message, sendOptions);
    return this.#connections.streams().then((streams) => streams.publish(topic, message, sendOptions));
  }

  async storeHalf(topic: TopicDefinition, half: OutgoingHalf): Promise<StoredHalf> {
    return (await this.#connections.streams()).storeHalf(topic, half);
  }

  async publishMany(topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly (PublishResult | Error)[]> {
    try {
      return await (await this.#connections.streams()).publishMany(topic, many);
    } catch (thrown) {
      return many.map(() => asError(thrown));
    }
  }
}

class LateDatabase implements SqlDatabase {
  readonly dialect: SqlDialect;
  readonly #connections: Connections;

  constructor(connections: Connections, dialect: SqlDialect) {
    this.#connections = connections;
    this.dialect = dialect;
  }

  async query<Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>> {
    return (await this.#connections.database()).query<Row>(text, parameters);
  }

  async transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return (await this.#connections.database()).transaction(work);
  }

  within(transaction: SqlTransaction): SqlTransaction {
    return transaction;
  }

  /** The application closes it when it stops. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

type Kind = 'inspector' | 'deadLetters' | 'groups' | 'orders' | 'topics' | 'halves';

/** Each object is made on a connection. Until there is one, its methods are known by name only; all of them are asynchronous. */
function late(kind: Kind, type: { readonly prototype: object }): FactoryProvider {
  const useFactory = (connections: Connections): object => lateProxy(connections, kind, type);
  return { provide: type as never, inject: [Connections], useFactory };
}

function lateProxy(connections: Connections, kind: Kind, type: { readonly prototype: object }): object {
  return new Proxy(Object.create(type.prototype) as object, {
    get: (target, name): unknown => {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function' || name === 'constructor') return method;
      return async (...args: unknown[]): Promise<unknown> => {
        const { [kind]: made } = await connections.streams();
        return Reflect.apply(method, made, args);
      };
    },
  });
}
