import type { INestApplicationContext } from '@nestjs/common';
import type { RedisConnection, Topology } from '@millrace/redis';
import { Connections } from '../../src/module/connections.js';
import type { Points } from './points.js';

/** Has a process pass the points that lie between two calls of the library, on the connections that it uses. */
export async function watchPoints(app: INestApplicationContext, points: Points): Promise<void> {
  const connections = app.get(Connections, { strict: false });
  watchScripts(await connections.redis(), (script, keys) => {
    if (script === 'complete-entries.lua') points.pass('ledger: after the mark, before the settlement');
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

type Heard = (script: string, keys: readonly string[]) => void;

/** Reports each script that the one server has answered, before the library hears of it. */
function watchScripts(redis: Topology, heard: Heard): void {
  for (const connection of new Set([redis.publishFor('any'), redis.controlFor('any')])) hear(connection, heard);
}

function hear(connection: RedisConnection, heard: Heard): void {
  const run = connection.run.bind(connection);
  connection.run = async (script, keys, args) => {
    const reply = await run(script, keys, args);
    heard(script.name, keys);
    return reply;
  };
}
