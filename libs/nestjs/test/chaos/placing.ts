import { type ToldProcess, waitFor } from '@millrace/testing';
import { type CrewPlan, type ProcessCrew, type Seats, startCrew } from './crews.js';

const PATIENCE_MS = 60_000;

/** A place in the crew: the orders that its process has and has not reported. */
interface Desk {
  readonly open: Set<number>;
  process: ToldProcess | null;
}

export interface PlacingSeats extends Seats {
  /** The order that a process does not leave to its successor any more, now that it has said this; null for other words. */
  readonly reported: (words: readonly string[]) => number | null;
}

/** Processes that are given numbered orders. One that is replaced leaves its successor the orders that it has not reported. */
export class Placing {
  readonly crew: ProcessCrew;
  readonly #desks: readonly Desk[];

  private constructor(crew: ProcessCrew, desks: readonly Desk[]) {
    this.crew = crew;
    this.#desks = desks;
  }

  static async start<Plan>(file: URL, plan: CrewPlan<Plan>, { reported, ...seats }: PlacingSeats): Promise<Placing> {
    const desks = Array.from({ length: plan.size }, (): Desk => ({ open: new Set(), process: null }));
    const heard = (place: number, words: readonly string[]): void => {
      const order = reported(words);
      if (order !== null) desks[place]!.open.delete(order);
      seats.heard(place, words);
    };
    const seated = (place: number, process: ToldProcess): void => {
      const desk = desks[place]!;
      desk.process = process;
      tell(desk, [...desk.open]);
      seats.seated(place, process);
    };
    return new Placing(await startCrew(file, plan, { heard, seated }), desks);
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
    await waitFor(() => this.#desks.every(({ open }) => open.size === 0), { what: 'all orders to be reported', timeoutMs: PATIENCE_MS });
  }
}

/** One that has ended, or is about to, does not hear of them: its successor will. */
function tell({ process }: Desk, orders: readonly number[]): void {
  if (orders.length > 0) process?.tell(`place ${orders.join(' ')}`);
}
