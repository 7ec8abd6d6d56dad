import { backlog } from './backlog.js';
import { flood } from './flood.js';
import { fullRedis } from './full-redis.js';
import { groups } from './groups.js';
import { idle, idleTopics } from './idle.js';
import { killedWorker } from './killed-worker.js';
import type { Measure } from './measure.js';
import { partitions } from './partitions.js';
import { primaries } from './primaries.js';
import { telemetry } from './telemetry.js';
import { trickle } from './trickle.js';
import { upkeep } from './upkeep.js';
import { waitingRetries } from './waiting-retries.js';

/** The measures that count commands, bytes and moments: they take little time and repeat on a noisy machine. */
export const COUNTS: readonly Measure[] = [idle, trickle, killedWorker, upkeep, fullRedis];

/** The measures of the cost of a message as more of something is there. */
export const COSTS: readonly Measure[] = [partitions, primaries, groups, flood, backlog, waitingRetries, idleTopics, telemetry];
