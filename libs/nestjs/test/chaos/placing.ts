import { type Network, type Progress, type ToldProcess, waitFor } from '@millrace/testing';
import { type CrewPlan, type ProcessCrew, startCrew } from './crews.js';
import type { Strikes } from './strikes.js';

const PATIENCE_MS = 60_000;

/** A place in the crew: the orders that its process is to place and has not reported. */
interface Desk {
  readonly open: Set<number>;
  process: ToldProcess | null;
}

export interface PlacingParts extends CrewPlan {
  readonly network: () => Promise<Network>;
  readonly strikes: Strikes;
  readonly progress: Progress;
}

/** Processes that place orders. One that is replaced leaves its successor the orders that it has not reported. */
export class Placing {
  readonly crew: ProcessCrew;
  readonly #desks: readonly Desk[];

  private constructor(crew: ProcessCrew, desks: readonly Desk[]) {
    this.crew = crew;
    this.#desks = desks;
  }

  static async start({ strikes, progress, ...plan }: PlacingParts): Promise<Placing> {
    const desks = Array.from({ length: plan.size }, (): Desk => ({ open: new Set(), process: null }));
    const heard = (place: number, [, order]: readonly string[]): void => {
      desks[place]!.open.delete(Number(order));
      progress.advance();
    };
    const seated = (place: number, process: ToldProcess): void => {
      const desk = desks[place]!;
      desk.process = process;
      tell(desk, [...desk.open]);
    };
    return new Placing(await startCrew('placer', plan, { heard, seated, strikes }), desks);
  }

  /** Shares the orders out from `first` to before `end`. */
  send(first: number, end: number): Promise<void> {
    for (const [index, desk] of this.#desks.entries()) {
      const all = Array.from({ length: end - first }, (_, place) => first + place);
      const own = all.filter((order) => order % this.#desks.length === index);
      for (const order of own) desk.open.add(order);
      tell(desk, own);
    }
    return Promise.resolve();
  }

  /** Resolves when every order was reported. */
  async placed(): Promise<void> {
    await waitFor(() => this.#desks.every(({ open }) => open.size === 0), { what: 'all orders to be placed', timeoutMs: PATIENCE_MS });
  }
}

/** One that has ended, or is about to, does not hear of them: its successor will. */
function tell({ process }: Desk, orders: readonly number[]): void {
  if (orders.length > 0) process?.tell(`place ${orders.join(' ')}`);
}
