import { type Commands, type Context, reads, writes } from './command.js';
import { OK, type Reply, Status, syntaxError, unsupported } from './reply.js';

/** The Redis whose answers these are. */
const VERSION = '7.0.15';
const CONFIG: Readonly<Record<string, string>> = { appendonly: 'no', appendfsync: 'everysec', maxmemory: '0', 'maxmemory-policy': 'noeviction' };
/** Bytes that a Redis with little in it uses, and twice as many for one with more than it may have. */
const USED = 1_000_000;

function info(context: Context, sections: string[]): Reply {
  const wanted = sections.map((section) => section.toLowerCase());
  const isWanted = (name: string): boolean => wanted.length === 0 || wanted.some((each) => [name, 'all', 'everything', 'default'].includes(each));
  const memory = [`used_memory:${context.isFull() ? 2 * USED : USED}`, `maxmemory:${context.isFull() ? USED : 0}`, 'maxmemory_policy:noeviction'];
  const parts: [name: string, lines: string[]][] = [
    ['Server', [`redis_version:${VERSION}`, 'redis_mode:standalone']],
    ['Memory', memory],
    ['Replication', ['role:master', 'connected_slaves:0']],
    ['Cluster', ['cluster_enabled:0']],
  ];
  return parts.filter(([name]) => isWanted(name.toLowerCase())).map(([name, lines]) => [`# ${name}`, ...lines, ''].join('\r\n')).join('\r\n');
}

function config(_: Context, [name, ...patterns]: string[]): Reply {
  if (name!.toUpperCase() !== 'GET') throw unsupported(`CONFIG ${name}`);
  return patterns.flatMap((pattern) => {
    const value = CONFIG[pattern.toLowerCase()];
    return value === undefined ? [] : [pattern.toLowerCase(), value];
  });
}

const CLIENT_REPLIES: Readonly<Record<string, Reply>> = { ID: 1, SETNAME: OK, SETINFO: OK, UNBLOCK: 0, 'NO-EVICT': OK };

function client(_: Context, [name]: string[]): Reply {
  const reply = CLIENT_REPLIES[name!.toUpperCase()];
  if (reply === undefined) throw unsupported(`CLIENT ${name}`);
  return reply;
}

function pubSub({ listeners }: Context, [name, ...channels]: string[]): Reply {
  if (name!.toUpperCase() !== 'SHARDNUMSUB') throw unsupported(`PUBSUB ${name}`);
  return channels.flatMap((channel) => [channel, listeners(channel)]);
}

export const serverCommands: Commands = {
  PING: reads(-1, (_, [text]) => text ?? new Status('PONG')),
  TIME: reads(1, ({ time }) => time().map(String)),
  INFO: reads(-1, info),
  CONFIG: reads(-2, config),
  CLIENT: reads(-2, client),
  SELECT: reads(2, (_, [index]) => {
    if (index !== '0') throw unsupported('any database but 0');
    return OK;
  }),
  /** There are no replicas that could answer. */
  WAIT: reads(3, () => 0),
  SPUBLISH: reads(3, ({ publish }, [channel, text]) => publish(channel!, text!)),
  PUBSUB: reads(-2, pubSub),
  FLUSHALL: writes(-1, (context, options) => {
    if (options.some((option) => !/^(?:a?sync)$/i.test(option))) throw syntaxError();
    const keys = context.keys.keys();
    context.keys.clear();
    keys.forEach((key) => context.changed(key));
    return OK;
  }),
};
