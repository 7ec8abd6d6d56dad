import { afterAll, beforeAll, describe, it } from '@jest/globals';
import {
  ClusterSite, conformance, CONFORMANCE_FEATURES, type ConformanceFeatures, SentinelSite, type Site, StandaloneSite,
} from '@millrace/testing';
import { SiteHarness } from './site-harness.js';

const everything = Object.fromEntries(CONFORMANCE_FEATURES.map((feature) => [feature, true])) as ConformanceFeatures;

// Messages outlive a crash of the servers only where they are on its disk.
const SITES: readonly (readonly [name: string, start: () => Promise<Site>])[] = [
  ['Redis Streams', () => StandaloneSite.start({ appendonly: 'always' })],
  ['Redis Streams in a Cluster', () => ClusterSite.start({ appendonly: 'always' })],
  ['Redis Streams behind Sentinels', () => SentinelSite.start({ appendonly: 'always' })],
];

describe.each(SITES)('%s', (name, start) => {
  let site: Site;
  let harness: SiteHarness;

  beforeAll(async () => {
    site = await start();
    harness = await SiteHarness.start(site);
  });
  afterAll(async () => {
    await harness.stop();
    await site.stop();
  });

  conformance({ describe, it }, { name, features: everything, harness: () => harness });
});
