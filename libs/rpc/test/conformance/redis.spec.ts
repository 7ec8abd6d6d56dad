import { describe } from '@jest/globals';
import { ClusterSite, SentinelSite, type Site, StandaloneSite } from '@millrace/testing';
import { SiteGround } from '../site-ground.js';
import { callsAreAnswered } from './answers.js';
import { callsEnd } from './ends.js';
import { instancesComeAndGo } from './instances.js';
import { answersAreKept } from './kept.js';
import { lossesAreMendedOrTold } from './losses.js';
import { itemsAreStreamed } from './streams.js';

// Requests and answers outlive a crash of the servers only where they are on its disk.
const SITES: readonly (readonly [name: string, start: () => Promise<Site>])[] = [
  ['Calls on one server', () => StandaloneSite.start({ appendonly: 'always' })],
  ['Calls in a Cluster', () => ClusterSite.start({ appendonly: 'always' })],
  ['Calls behind Sentinels', () => SentinelSite.start({ appendonly: 'always' })],
];

describe.each(SITES)('%s', (_, start) => {
  const ground = new SiteGround('conformance', start);

  describe('are answered', () => callsAreAnswered(ground));
  describe('end', () => callsEnd(ground));
  describe('have instances, which', () => instancesComeAndGo(ground));
  describe('are answered by items', () => itemsAreStreamed(ground));
  describe('have answers that are kept', () => answersAreKept(ground));
  describe('are, through losses,', () => lossesAreMendedOrTold(ground));
});
