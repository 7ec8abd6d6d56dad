import { connectDatabase, findDatabase, type RunningDatabase, type SqlDatabase } from '@millrace/outbox';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import { RunningExamples } from './running-examples.js';

/** The examples of a document, and the servers that they speak to: a Redis and an embedded PostgreSQL of their own. */
export class Surroundings {
  private constructor(
    readonly examples: RunningExamples,
    readonly redis: TestRedis,
    readonly database: SqlDatabase,
    readonly embedded: RunningDatabase,
  ) {}

  static async of(document: string): Promise<Surroundings> {
    const [redis, embedded] = await Promise.all([startTestRedis(), findDatabase({ env: {} })]);
    const database = await connectDatabase({ url: embedded.url });
    return new Surroundings(new RunningExamples(document), redis, database, embedded);
  }

  /** The variables with the addresses of the servers. */
  get env(): { REDIS_URL: string; DATABASE_URL: string } {
    return { REDIS_URL: this.redis.url, DATABASE_URL: this.embedded.url };
  }

  async stop(): Promise<void> {
    this.examples.remove();
    await this.database.close();
    await this.embedded.stop();
    await this.redis.stop();
  }
}
