import type { Case } from './conformance-case.js';
import { BATCHES } from './cases/batches.js';
import { BROADCASTS } from './cases/broadcasts.js';
import { DELAYS } from './cases/delays.js';
import { GROUPS } from './cases/groups.js';
import { MEMBERS } from './cases/members.js';
import { ORDERING } from './cases/ordering.js';
import { OUTCOMES } from './cases/outcomes.js';
import { PUBLISHING } from './cases/publishing.js';
import { UNIQUENESS } from './cases/uniqueness.js';
import type { ConformanceFeature, ConformanceFeatures } from './features.js';
import type { ConformanceHarness } from './harness.js';
import { Stage } from './stage.js';

/** One promise of the ports. */
export interface ConformanceCase {
  /** A whole sentence. */
  readonly name: string;
  /** The features without which it cannot hold. */
  readonly needs: readonly ConformanceFeature[];
  /** Tries it, on topics and instances of its own. Rejects when the promise is broken. */
  run(harness: ConformanceHarness): Promise<void>;
}

type RegisterTest = (name: string, body: () => Promise<void>) => unknown;

/** The functions of a test framework that the suite calls: those of Jest, Vitest, Mocha and `node:test` fit. */
export interface ConformanceFramework {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: RegisterTest & { readonly skip: RegisterTest };
}

export interface ConformanceSubject {
  /** For the report: `Redis Streams`. */
  readonly name: string;
  readonly features: ConformanceFeatures;
  /** Asked for in each case; the caller opens and closes what is behind it. */
  readonly harness: () => ConformanceHarness;
}

const GROUPED: readonly (readonly [string, readonly Case[]])[] = [
  ['publishing', PUBLISHING],
  ['groups', GROUPS],
  ['outcomes', OUTCOMES],
  ['members', MEMBERS],
  ['ordering', ORDERING],
  ['uniqueness', UNIQUENESS],
  ['delays', DELAYS],
  ['batches', BATCHES],
  ['broadcasts', BROADCASTS],
];

/** Every promise of the ports, for whoever runs them in another way than {@link conformance}. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = GROUPED.flatMap(([, cases]) => cases.map(runnable));

/**
 * Registers a test for every promise of the ports `PublishPort` and `SubscribePort`. A promise that needs a feature which is
 * not declared is skipped. Each test waits up to the patience of the harness for things that should happen: let the framework
 * wait for longer.
 */
export function conformance({ describe, it }: ConformanceFramework, { name, features, harness }: ConformanceSubject): void {
  describe(`${name} keeps the promises of the ports`, () => {
    for (const [group, cases] of GROUPED) {
      describe(group, () => {
        for (const one of cases.map(runnable)) {
          const register = one.needs.every((feature) => features[feature]) ? it : it.skip;
          register(one.name, () => one.run(harness()));
        }
      });
    }
  });
}

function runnable({ name, needs, run }: Case): ConformanceCase {
  return {
    name,
    needs,
    run: async (harness) => {
      const stage = new Stage(harness);
      try {
        await run(stage);
      } finally {
        await stage.clear();
      }
    },
  };
}
