import { openQueue, type Queue } from '@millrace/jobs';
import type { CliBed } from './cli-bed.js';

/** A queue that commands look at. */
export class MailQueue {
  readonly queue: Queue;
  readonly #bed: CliBed;

  private constructor(queue: Queue, bed: CliBed) {
    this.queue = queue;
    this.#bed = bed;
  }

  static async open(bed: CliBed): Promise<MailQueue> {
    return new MailQueue(await openQueue('mails', { target: { url: bed.server.url }, prefix: bed.prefix }), bed);
  }

  /** A job that failed, one that waits, and one that is delayed. */
  async fill(): Promise<void> {
    await this.queue.add('send', { number: 1 }, { jobId: 'failed-1', attempts: 1 });
    await this.#fail('failed-1');
    await this.queue.add('send', { number: 2 }, { jobId: 'waiting-1' });
    await this.queue.add('send', { number: 3 }, { jobId: 'delayed-1', delay: 3_600_000 });
    await this.queue.addJobLog('failed-1', 'a line');
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  /** As a worker whose handler fails. */
  async #fail(id: string): Promise<void> {
    const key = `{${this.#bed.prefix}}:mails:`;
    await this.#bed.command('LREM', `${key}wait`, 0, id);
    await this.#bed.command('ZADD', `${key}failed`, Date.now(), id);
    await this.#bed.command('HSET', `${key}${id}`, 'finishedOn', Date.now(), 'failedReason', 'on fire', 'atm', 1);
  }
}
