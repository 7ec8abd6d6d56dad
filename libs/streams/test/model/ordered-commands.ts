import { expect } from '@jest/globals';
import fc from 'fast-check';
import { type OrderedGroup, orderedViewOf } from './ordered-group.js';
import { type OrderedMode, OWNERS, type Tenure } from './ordered-mode.js';

type Step = (model: OrderedMode, real: OrderedGroup) => Promise<void>;
type Command = fc.AsyncCommand<OrderedMode, OrderedGroup>;

/** Runs one command on both, and compares their answers, then their visible states. */
class Compared implements Command {
  readonly #name: string;
  readonly #step: Step;
  readonly #isPossible: (model: OrderedMode) => boolean;

  constructor(name: string, step: Step, isPossible: (model: OrderedMode) => boolean = () => true) {
    this.#name = name;
    this.#step = step;
    this.#isPossible = isPossible;
  }

  check(model: Readonly<OrderedMode>): boolean {
    return this.#isPossible(model);
  }

  async run(model: OrderedMode, real: OrderedGroup): Promise<void> {
    await this.#step(model, real);
    expect(await real.view(model.next)).toEqual(orderedViewOf(model));
  }

  toString(): string {
    return this.#name;
  }
}

const member = fc.constantFrom(...OWNERS);
/** Index into the tenures that there ever were, from the newest on: mostly the present one. */
const back = fc.constantFrom(0, 0, 0, 0, 1, 2, 5);
const hasTenures = ({ tenures }: OrderedMode): boolean => tenures.length > 0;
const hasMessages = (model: OrderedMode): boolean => hasTenures(model) && model.next > 0;
const tenureAt = ({ tenures }: OrderedMode, index: number): Tenure => tenures[Math.max(0, tenures.length - 1 - index)]!;
const offset = fc.nat({ max: 40 });

const publish = fc.integer({ min: 1, max: 4 }).map(
  (size) =>
    new Compared(`publish ${size}`, async (model, real) => {
      model.publish(size);
      await real.publish(size);
    }),
);

/** A member finds nobody, or takes the partition from one that has died; by a view that may be older than the record. */
const acquire = fc.record({ who: member, behind: fc.constantFrom(0, 0, 0, 1, 2), isFree: fc.boolean() }).map(
  ({ who, behind, isFree }) =>
    new Compared(`${who} acquires${behind > 0 ? ` by a view ${behind} behind` : ''}${isFree ? ', seen free' : ''}`, async (model, real) => {
      const epoch = Math.max(0, model.epoch - behind);
      const seen = behind > 0 && epoch > 0 ? model.tenures.find((tenure) => tenure.epoch === epoch)!.member : model.owner;
      const expected = { owner: isFree ? '' : seen, epoch };
      expect(await real.acquire(who, expected)).toEqual(model.acquire(who, expected));
    }),
);

const release = back.map(
  (which) =>
    new Compared(`release by tenure ${which}`, async (model, real) => {
      const tenure = tenureAt(model, which);
      expect(await real.release(tenure)).toBe(model.release(tenure));
    }, hasTenures),
);

const fetch = fc.record({ which: back, count: fc.integer({ min: 1, max: 3 }), isNew: fc.boolean() }).map(
  ({ which, ...wish }) =>
    new Compared(`fetch ${wish.count} ${wish.isNew ? 'new' : 'again'} by tenure ${which}`, async (model, real) => {
      const tenure = tenureAt(model, which);
      expect(await real.fetch(tenure, wish)).toEqual(model.fetch(tenure, wish));
    }, hasTenures),
);

const note = fc.record({ which: back, at: offset, attempt: fc.integer({ min: 2, max: 5 }) }).map(
  ({ which, at, attempt }) =>
    new Compared(`note attempt ${attempt} of ${at} by tenure ${which}`, async (model, real) => {
      const tenure = tenureAt(model, which);
      expect(await real.note(tenure, at % model.next, attempt)).toBe(model.note(tenure, at % model.next, attempt));
    }, hasMessages),
);

const settle = fc.record({ which: back, at: offset, outcome: fc.constantFrom('ack', 'ack', 'dead'), isRepetition: fc.boolean() }).map(
  ({ which, at, ...how }) =>
    new Compared(`settle ${at} (${how.outcome}${how.isRepetition ? ', again' : ''}) by tenure ${which}`, async (model, real) => {
      const [tenure, message] = [tenureAt(model, which), at % model.next];
      const entry = model.entryOf(message);
      expect(await real.settle(tenure, message, { ...how, entry })).toBe(model.settle(tenure, message, how));
    }, hasMessages),
);

/** The commands on an ordered group, with the common ones more often. */
export const orderedCommands: fc.Arbitrary<Iterable<Command>> = fc.commands<OrderedMode, OrderedGroup, false>(
  [publish, acquire, fetch, fetch, settle, settle, settle, note, release],
  { size: 'max', maxCommands: 60 },
);
