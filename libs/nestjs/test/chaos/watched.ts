import type { INestApplicationContext } from '@nestjs/common';
import type { RedisConnection, Topology } from '@millrace/redis';
import { say } from '@millrace/testing';
import { Connections } from '../../src/module/connections.js';
import type { Points } from './points.js';

/** Has a process pass the points that lie between two calls of the library, on the connections that it uses. */
export async function watchPoints(app: INestApplicationContext, points: Points): Promise<void> {
  const connections = app.get(Connections, { strict: false });
  watchScripts(await connections.redis(), ({ script, keys, args, reply }) => {
    if (script === 'complete-entries.lua') {
      tellMarks(args, reply);
      points.pass('ledger: after the mark, before the settlement');
    }
    if (script === 'settle.lua' && keys.some((key) => key.endsWith(':forward'))) points.pass('hop: settled, before it is forwarded');
  });
  const streams = await connections.streams();
  const publishMany = streams.publishMany.bind(streams);
  // Nothing else publishes many messages here.
  streams.publishMany = async (topic, many) => {
    const outcomes = await publishMany(topic, many);
    points.pass('relay: a page is published, before its rows are updated');
    return outcomes;
  };
}

/** The arguments that `complete-entries.lua` has for each entry, after one for all: the number of its shard, its id, ... */
const FIELDS = 5;

function tellMarks(args: readonly unknown[], reply: unknown): void {
  for (const [index, answer] of (reply as readonly string[]).entries()) {
    if (answer === '+') say('marked', 'mailed', String(args[1 + index * FIELDS + 1]), Date.now());
  }
}

interface Run {
  readonly script: string;
  readonly keys: readonly string[];
  readonly args: readonly unknown[];
  readonly reply: unknown;
}

type Heard = (run: Run) => void;

/** Reports each script that the one server has answered, before the library hears of it. */
function watchScripts(redis: Topology, heard: Heard): void {
  for (const connection of new Set([redis.publishFor('any'), redis.controlFor('any')])) hear(connection, heard);
}

function hear(connection: RedisConnection, heard: Heard): void {
  const run = connection.run.bind(connection);
  connection.run = async (script, keys, args) => {
    const reply = await run(script, keys, args);
    heard({ script: script.name, keys, args, reply });
    return reply;
  };
}
