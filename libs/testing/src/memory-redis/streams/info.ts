import { type Commands, type Context, reads } from '../command.js';
import { noSuchKey, RedisError, type Reply, unsupported } from '../reply.js';
import { shownEntry } from './entries.js';
import { textOfId } from './entry-id.js';
import { noGroup, type Stream, streamAt } from './stream.js';

/** Redis counts nodes of its tree, which there is not: numbers that a small stream has. */
const TREE = ['radix-tree-keys', 1, 'radix-tree-nodes', 2] as const;

function streamInfo(stream: Stream): Reply {
  const { entries, groups } = stream;
  return [
    'length', entries.size, ...TREE, 'last-generated-id', textOfId(stream.lastId), 'max-deleted-entry-id', textOfId(stream.maxDeletedId),
    'entries-added', stream.added, 'recorded-first-entry-id', textOfId(stream.firstId), 'groups', groups.size,
    'first-entry', entries.first ? shownEntry(entries.first) : null, 'last-entry', entries.last ? shownEntry(entries.last) : null,
  ];
}

function groupInfos(stream: Stream): Reply {
  return stream.groupsByName().map((group) => [
    'name', group.name, 'consumers', group.consumers().length, 'pending', group.pending.size,
    'last-delivered-id', textOfId(group.lastId), 'entries-read', group.entriesRead, 'lag', stream.lag(group),
  ]);
}

function consumerInfos(stream: Stream, [key, name]: string[], now: number): Reply {
  const group = stream.groups.get(name!);
  if (!group) throw noGroup(key!, name!);
  return group.consumers().map((consumer) => [
    'name', consumer.name, 'pending', consumer.pending.size, 'idle', Math.max(0, now - consumer.seenAt),
  ]);
}

const SIZES: Readonly<Record<string, number>> = { STREAM: 2, GROUPS: 2, CONSUMERS: 3 };

function info(context: Context, [name, ...args]: string[]): Reply {
  const kind = name!.toUpperCase();
  const size = SIZES[kind];
  if (size === undefined) throw new RedisError(`ERR unknown subcommand '${name}'. Try XINFO HELP.`);
  if (kind === 'STREAM' && args.length > 1) throw unsupported('XINFO STREAM FULL');
  if (args.length + 1 !== size) throw new RedisError(`ERR wrong number of arguments for 'xinfo|${name!.toLowerCase()}' command`);
  const stream = streamAt(context, args[0]!);
  if (!stream) throw noSuchKey();
  if (kind === 'STREAM') return streamInfo(stream);
  return kind === 'GROUPS' ? groupInfos(stream) : consumerInfos(stream, args, context.nowMs());
}

export const infoCommands: Commands = { XINFO: reads(-2, info) };
