import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

/**
 * Spec files that take half a minute or more, and those that are short to read and long to run. Without durations of an earlier
 * run, as in a clean clone, Jest begins with the largest files: one of these would begin last, and all would wait for it.
 */
const LONG = [
  'apps/shop/test/demo.e2e',
  'apps/bench/test/bench.e2e',
  'libs/nestjs/test/run-worker',
  'libs/streams/test/settled-retention',
  'test/repository/packages',
  'libs/streams/test/chaos',
  'libs/rpc/test/chaos',
  'libs/nestjs/test/chaos',
  'libs/nestjs/test/transport/chaos',
  'libs/nestjs/test/transport/sigterm',
  'test/documents/guides/operate',
  'test/repository/images',
  'test/documents/guides/hosting',
  'libs/streams/test/rings-missed',
  'libs/streams/test/crashes/outage',
  'libs/streams/test/crashes/clock-step',
  'libs/redis/test/connection/redis-connection',
  'libs/rpc/test/points',
  'libs/rpc/test/storm',
  'libs/rpc/test/crashes',
  'libs/jobs/test/outage',
  'libs/streams/test/presence',
  'libs/streams/test/broadcast',
  'libs/nestjs/test/inbox',
  'libs/streams/test/model/',
];

/** Begins with the spec files that take longest, so that none of them is left to run alone at the end. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const place = (test) => {
      const found = LONG.findIndex((name) => isOf(test, name));
      return found < 0 ? LONG.length : found;
    };
    return super.sort(tests).sort((one, other) => place(one) - place(other));
  }
}

function isOf({ path, context }, name) {
  const own = relative(context.config.rootDir, path);
  return name.endsWith('/') ? own.startsWith(name) : own === `${name}.spec.ts`;
}
