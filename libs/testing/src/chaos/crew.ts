import type { RedisTarget } from '@millrace/redis';
import type { Network } from '../network.js';

/** A process that works until it is told to stop. */
export interface CrewProcess<Ending> {
  readonly ended: Promise<Ending>;
  signal(signal: NodeJS.Signals): void;
}

export interface Place<Process> {
  process: Process;
  /** Its network; its replacement gets the same one. */
  readonly network: Network;
}

export interface CrewOptions<Process> {
  readonly size: number;
  /** Makes a network for one process. */
  readonly network: () => Promise<Network>;
  /** Resolves when the process works. `place` counts from 0; a replacement has that of the one before. */
  readonly start: (target: RedisTarget, place: number) => Promise<Process>;
}

/** Processes, each behind a network of its own; one that ends is replaced. */
export class Crew<Process extends CrewProcess<Ending>, Ending> {
  readonly places: readonly Place<Process>[];
  /** How the processes ended that were asked to stop. */
  readonly endings: Ending[] = [];
  readonly #start: CrewOptions<Process>['start'];

  private constructor(start: CrewOptions<Process>['start'], places: readonly Place<Process>[]) {
    this.#start = start;
    this.places = places;
  }

  static async start<Process extends CrewProcess<Ending>, Ending>(options: CrewOptions<Process>): Promise<Crew<Process, Ending>> {
    const { size, start } = options;
    const place = async (index: number): Promise<Place<Process>> => {
      const network = await options.network();
      return { network, process: await start(network.target, index) };
    };
    return new Crew(start, await Promise.all(Array.from({ length: size }, (_, index) => place(index))));
  }

  async kill(place: Place<Process>): Promise<void> {
    place.process.signal('SIGKILL');
    await place.process.ended;
    await this.#replace(place);
  }

  async stop(place: Place<Process>): Promise<void> {
    place.process.signal('SIGTERM');
    this.endings.push(await place.process.ended);
    await this.#replace(place);
  }

  /** Stops all processes in order. */
  async leave(): Promise<void> {
    for (const { process } of this.places) process.signal('SIGTERM');
    this.endings.push(...(await Promise.all(this.places.map(({ process }) => process.ended))));
    await Promise.all(this.places.map(({ network }) => network.stop()));
  }

  async #replace(place: Place<Process>): Promise<void> {
    place.process = await this.#start(place.network.target, this.places.indexOf(place));
  }
}
