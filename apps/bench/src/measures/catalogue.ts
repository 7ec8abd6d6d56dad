import { backlog } from './backlog.js';
import { flood } from './flood.js';
import { fullRedis } from './full-redis.js';
import { groups } from './groups.js';
import { idle } from './idle.js';
import { killedWorker } from './killed-worker.js';
import type { Measure } from './measure.js';
import { partitions } from './partitions.js';
import { trickle } from './trickle.js';
import { upkeep } from './upkeep.js';
import { waitingRetries } from './waiting-retries.js';

/** The quick ones first: the time may run out. */
export const MEASURES: readonly Measure[] = [
  partitions, groups, trickle, killedWorker, upkeep, fullRedis, flood, idle, backlog, waitingRetries,
];
