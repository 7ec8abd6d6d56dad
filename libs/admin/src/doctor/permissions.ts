import { isNotPermitted, type RedisArgument, type RedisConnection } from '@millrace/redis';
import { fault, type Finding, ok } from './finding.js';

type Probe = readonly [command: string, ...args: RedisArgument[]];

/** Commands on a key that is not there, and a channel of its name, in forms that make none: Redis looks at permissions first. */
function probesOn(key: string): readonly Probe[] {
  return [
    ['EVAL', 'return 1', 1, key], ['EXISTS', key], ['DEL', key], ['UNLINK', key], ['PEXPIRE', key, 1], ['GET', key], ['SET', key, '', 'XX'],
    ['HGET', key, 'f'], ['HMGET', key, 'f'], ['HGETALL', key], ['HKEYS', key], ['HEXISTS', key, 'f'], ['HDEL', key, 'f'],
    ['ZADD', key, 'XX', 1, 'm'], ['ZCARD', key], ['ZCOUNT', key, 0, 1], ['ZRANGE', key, 0, 1], ['ZREM', key, 'm'], ['ZSCORE', key, 'm'],
    ['XADD', key, 'NOMKSTREAM', '*', 'f', 'v'], ['XLEN', key], ['XRANGE', key, '-', '+', 'COUNT', 1], ['XREVRANGE', key, '+', '-', 'COUNT', 1],
    ['XREAD', 'COUNT', 1, 'STREAMS', key, '0'], ['XDEL', key, '1-1'], ['XTRIM', key, 'MAXLEN', '=', 1],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1, 'STREAMS', key, '>'], ['XACK', key, 'g', '1-1'], ['XPENDING', key, 'g'],
    ['XCLAIM', key, 'g', 'c', 0, '1-1'], ['XINFO', 'STREAM', key], ['XINFO', 'GROUPS', key], ['XGROUP', 'DESTROY', key, 'g'],
    ['XGROUP', 'CREATE', key, 'g', '0'],
    ['STRLEN', key], ['GETBIT', key, 0], ['HLEN', key], ['HSCAN', key, 0], ['ZSCAN', key, 0],
    ['SPUBLISH', key, ''],
  ];
}

/**
 * Runs each command that topics need once, on a key of the prefix that is not there, and says which of them the user may not run.
 *
 * @param name of the key and of a channel
 * @throws RedisFailure when the server cannot be reached
 */
export async function checkPermissions(server: RedisConnection, name: string): Promise<Finding> {
  const refused: string[] = [];
  for (const probe of probesOn(name)) {
    if (await isRefused(server, probe)) refused.push(nameOf(probe));
  }
  if (refused.length === 0) return ok('permissions', 'all that topics need');
  const found = `refused: ${refused.join(', ')}`;
  return fault('permissions', found, 'The Redis user needs these commands on the keys and channels of the prefix: the guide redis-acl.md has the lines.');
}

async function isRefused(server: RedisConnection, [command, ...args]: Probe): Promise<boolean> {
  try {
    await server.call(command, ...args);
    return false;
  } catch (error) {
    return isNotPermitted(error);
  }
}

function nameOf([command, ...args]: Probe): string {
  return (['XINFO', 'XGROUP'].includes(command) ? `${command} ${String(args[0])}` : command).toLowerCase();
}
