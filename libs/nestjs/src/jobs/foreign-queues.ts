import { getQueueToken } from '@nestjs/bullmq';
import { MillraceError } from '@millrace/core';
import type { Queue } from '@millrace/jobs';
import { isClusterClient } from '@millrace/redis';
import type { HandlerMethod } from '../explore/handler-method.js';
import type { QueueConfiguration } from './feature-queues.js';
import type { PlainProcessor } from './processors.js';

/** A queue that the application registered itself under the name of one of ours, at another place. */
export interface ForeignQueue {
  readonly name: string;
  /** Both places, as texts for logs and errors. */
  readonly places: string;
}

type Hosts = readonly HandlerMethod['wrapper'][];

/** Nest knows queues by their names alone: an application may have two of one name, in different places. */
export function foreignQueues(names: readonly string[], hosts: Hosts, ours: QueueConfiguration): ForeignQueue[] {
  return [...new Set(names)].flatMap((name) => {
    const token = getQueueToken(name);
    const registered = hosts.filter((host) => host.token === token).map(({ instance }) => instance as unknown as Queue);
    const other = registered.find(({ opts }) => placeOf(opts) !== placeOf(ours));
    return other ? [{ name, places: `${placeOf(other.opts)}; that of Millrace: ${placeOf(ours)}` }] : [];
  });
}

export function foreignQueueWarning({ name, places }: ForeignQueue): string {
  return (
    `Queue '${name}' is registered by BullModule.registerQueue, too, at another place (${places}): there are two queues of this name. ` +
    `JobQueue and @JobHandler use that of Millrace; @InjectQueue('${name}') gets the one that its module imports. Give one of them another ` +
    'name, or remove the registerQueue and import MillraceModule.forFeature.'
  );
}

/** BullMQ gives `@Processor` and `@QueueEventsListener` whichever queue of that name Nest made last. */
export function foreignQueueConflicts(foreign: readonly ForeignQueue[], users: readonly PlainProcessor[]): MillraceError[] {
  return foreign.flatMap(({ name, places }) => {
    const labels = users.filter(({ queue }) => queue === name).map(({ label }) => label);
    if (labels.length === 0) return [];
    return new MillraceError(
      'CONTRACT_CONFLICT',
      `Queue '${name}' is registered by BullModule.registerQueue at another place than by MillraceModule (${places}), and nobody can say ` +
        `which of the two ${labels.join(', ')} is for. Give one of the two queues another name.`,
    );
  });
}

/** The place of a queue in Redis; a connection that was given as a client shows its options. */
function placeOf({ prefix = 'bull', connection }: { readonly prefix?: string; readonly connection?: unknown }): string {
  if (isClusterClient(connection)) return `prefix '${prefix}' of a Redis Cluster`;
  const given = (connection ?? {}) as Address & { readonly options?: Address };
  const { url, host = '127.0.0.1', port = 6379, db = 0, path } = { ...given.options, ...given };
  return `prefix '${prefix}' of ${path ?? (url === undefined ? addressOf(host, port, db) : addressOfUrl(url))}`;
}

interface Address {
  readonly url?: string;
  readonly host?: string;
  readonly port?: number | string;
  readonly db?: number;
  readonly path?: string;
}

function addressOf(host: string, port: number | string, db: number | string): string {
  return `${host === 'localhost' ? '127.0.0.1' : host}:${port}/${db}`;
}

function addressOfUrl(text: string): string {
  if (!URL.canParse(text)) return 'a URL that cannot be read';
  const { hostname, port, pathname } = new URL(text);
  return addressOf(hostname, port || 6379, pathname.slice(1) || 0);
}
