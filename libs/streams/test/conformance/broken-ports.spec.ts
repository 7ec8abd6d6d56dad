import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CONFORMANCE_CASES, conformance, CONFORMANCE_FEATURES, type ConformanceFeatures, StandaloneSite } from '@millrace/testing';
import { BREAKAGES, broken } from './broken-ports.js';
import { SiteHarness } from './site-harness.js';

let site: StandaloneSite;
let harness: SiteHarness;

beforeAll(async () => {
  site = await StandaloneSite.start();
  harness = await SiteHarness.start(site);
});
afterAll(async () => {
  await harness.stop();
  await site.stop();
});

describe('the conformance suite', () => {
  it.each(BREAKAGES)('notices an implementation that $name', async (breakage) => {
    const test = CONFORMANCE_CASES.find(({ name }) => name === breakage.noticedBy);
    await expect(test?.run(broken(harness, breakage))).rejects.toThrow(breakage.says);
  });

  it('has a name of its own for each case', () => {
    const names = CONFORMANCE_CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('skips the cases of each feature that is not declared, and no others', () => {
    for (const feature of CONFORMANCE_FEATURES) {
      const features = Object.fromEntries(CONFORMANCE_FEATURES.map((name) => [name, name !== feature])) as ConformanceFeatures;
      const needing = CONFORMANCE_CASES.filter(({ needs }) => needs.includes(feature)).map(({ name }) => name);
      expect(needing).not.toEqual([]);
      expect(skippedWith(features)).toEqual(needing);
    }
  });
});

function skippedWith(features: ConformanceFeatures): string[] {
  const skipped: string[] = [];
  const register = Object.assign(() => undefined, { skip: (name: string) => void skipped.push(name) });
  conformance({ describe: (_, body) => body(), it: register }, { name: 'an implementation', features, harness: () => harness });
  return skipped;
}
