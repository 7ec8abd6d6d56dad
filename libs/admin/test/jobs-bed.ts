import { afterEach, beforeEach } from '@jest/globals';
import { type Admin, type AdminJobs, createAdmin } from '@millrace/admin';
import { fixed, Job, jobOf, type PayloadClass } from '@millrace/core';
import { bullConnection, JobQueue, type JobRegistration, type JobWorker, openQueue, type Queue, QueueDirectory, startJobWorker } from '@millrace/jobs';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import type { AdminBed } from './admin-bed.js';

@Job<Mail>('send-mail', { queue: 'mails', attempts: 1, backoff: fixed('1ms') })
export class Mail {
  @IsInt() number!: number;
}

@Job<Bill>('print-bill', { queue: 'bills', attempts: 1, backoff: fixed('1ms') })
export class Bill {
  @IsInt() number!: number;
}

type Handle = (payload: never, context: { log(line: string): Promise<unknown> }) => Promise<unknown>;

/** Queues of an application with workers, and an operator in a process that has no queue of its own. */
export class JobsBed {
  jobs!: JobQueue;
  operator!: Admin;
  admin!: AdminJobs;
  directory!: QueueDirectory;
  readonly #bed: AdminBed;
  readonly #queues = new Map<string, Queue>();
  readonly #workers: JobWorker[] = [];
  #redis!: StandaloneTopology;

  /** Call it where `describe` is called: it registers hooks. */
  constructor(bed: AdminBed) {
    this.#bed = bed;
    beforeEach(async () => {
      this.#redis = await connectServer({ url: bed.server.url });
      for (const name of ['mails', 'bills']) this.#queues.set(name, await openQueue(name, this.place));
      this.jobs = new JobQueue((name) => this.queue(name));
      this.directory = new QueueDirectory({ redis: this.#redis, ...this.place });
      this.operator = this.#operatorOn(this.directory);
      this.admin = this.operator.jobs!;
    });
    afterEach(async () => {
      await Promise.all(this.#workers.splice(0).map((worker) => worker.stop(0)));
      await this.directory.close();
      await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
      this.#queues.clear();
      this.#redis.close();
    });
  }

  get place(): { readonly target: { readonly url: string }; readonly prefix: string } {
    return { target: { url: this.#bed.server.url }, prefix: this.#bed.prefix };
  }

  get redis(): StandaloneTopology {
    return this.#redis;
  }

  adminOn(queues: QueueDirectory): AdminJobs {
    return this.#operatorOn(queues).jobs!;
  }

  queue(name: string): Queue {
    return this.#queues.get(name)!;
  }

  async enqueue(job: PayloadClass, count: number, options: object = {}): Promise<string[]> {
    const ids: string[] = [];
    for (let number = 0; number < count; number += 1) ids.push((await this.jobs.enqueue(job, { number }, options)).id);
    return ids;
  }

  /** A process that works on the queue of a job. */
  async work(job: PayloadClass, handle: Handle): Promise<JobWorker> {
    const definition = jobOf(job);
    const own: JobRegistration['handle'] = (payload, context) => handle(payload as never, context);
    const registration: JobRegistration = { definition, timeoutMs: null, handle: own };
    const worker = await startJobWorker({
      queue: definition.queue, connection: bullConnection(this.place.target, 'worker'), prefix: this.place.prefix, concurrency: 4,
      handlers: new Map([[definition.name, registration]]),
    });
    this.#workers.push(worker);
    return worker;
  }

  /** Resolves when the queue has so many jobs in the state. */
  async until(queue: string, state: 'failed' | 'completed' | 'active' | 'delayed' | 'waiting', count: number): Promise<void> {
    const isThere = async (): Promise<boolean> => (await this.admin.info(queue)).counts![state] === count;
    await waitFor(isThere, { what: `${count} ${state} jobs in ${queue}` });
  }

  /** Jobs that have failed, and the queue without a worker. */
  async failed(count: number): Promise<string[]> {
    const ids = await this.enqueue(Mail, count);
    const worker = await this.work(Mail, () => Promise.reject(new Error('on fire')));
    await this.until('mails', 'failed', count);
    await worker.stop(0);
    return ids;
  }

  #operatorOn(queues: QueueDirectory): Admin {
    const { streams } = this.#bed.application;
    return createAdmin({ redis: this.#redis, prefix: this.#bed.prefix, streams, queues });
  }
}
