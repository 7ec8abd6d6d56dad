import { TcpProxy } from '@millrace/testing';
import type { Ground } from '../ground.js';
import type { WorkerPlan } from './plan.js';
import type { Records } from './records.js';
import { type Ending, WorkerProcess } from './worker-process.js';

export interface Place {
  worker: WorkerProcess;
  /** Its network; its replacement gets the same one. */
  readonly proxy: TcpProxy;
}

/** Worker processes, each behind a network of its own; a worker that ends is replaced. */
export class Crew {
  readonly places: readonly Place[];
  /** How the workers ended that were asked to stop. */
  readonly endings: Ending[] = [];
  readonly #plan: Omit<WorkerPlan, 'url'>;
  readonly #records: Records;

  private constructor(plan: Omit<WorkerPlan, 'url'>, records: Records, places: readonly Place[]) {
    this.#plan = plan;
    this.#records = records;
    this.places = places;
  }

  static async start(
    ground: Ground,
    records: Records,
    options: { workers: number } & Omit<WorkerPlan, 'url' | 'prefix'>,
  ): Promise<Crew> {
    const { workers, ...rest } = options;
    const plan = { ...rest, prefix: ground.prefix };
    const proxies = await Promise.all(Array.from({ length: workers }, () => TcpProxy.start(ground.url)));
    const place = async (proxy: TcpProxy): Promise<Place> => ({
      proxy,
      worker: await WorkerProcess.start({ ...plan, url: proxy.url }, records),
    });
    return new Crew(plan, records, await Promise.all(proxies.map(place)));
  }

  async kill(place: Place): Promise<void> {
    await place.worker.kill();
    await this.#replace(place);
  }

  async stop(place: Place): Promise<void> {
    place.worker.signal('SIGTERM');
    this.endings.push(await place.worker.ended);
    await this.#replace(place);
  }

  /** Stops all workers in order. */
  async leave(): Promise<void> {
    for (const { worker } of this.places) worker.signal('SIGTERM');
    this.endings.push(...(await Promise.all(this.places.map(({ worker }) => worker.ended))));
    await Promise.all(this.places.map(({ proxy }) => proxy.stop()));
  }

  async #replace(place: Place): Promise<void> {
    place.worker = await WorkerProcess.start({ ...this.#plan, url: place.proxy.url }, this.#records);
  }
}
