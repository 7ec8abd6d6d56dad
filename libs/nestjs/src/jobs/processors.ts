import { Processor, QueueEventsListener } from '@nestjs/bullmq';
import { classOf } from '../explore/handler-finder.js';
import type { HandlerMethod } from '../explore/handler-method.js';

/** BullMQ's decorators write under keys whose names are not exported, so they are read off a class of our own. */
@Processor('probe')
@QueueEventsListener('probe')
class Probe {}
const PROCESSOR = keyLike('processor');
const LISTENER = keyLike('listener');

function keyLike(part: string): string {
  return Reflect.getMetadataKeys(Probe).find((key) => String(key).includes(part)) as string;
}

/** A class that BullMQ gives the jobs, or the events, of a queue. */
export interface PlainProcessor {
  readonly queue: string;
  /** The class's name. */
  readonly label: string;
}

/** The plain BullMQ processors among an application's providers. */
export function processorsAmong(hosts: readonly HandlerMethod['wrapper'][]): PlainProcessor[] {
  return namedBy(PROCESSOR, 'name', hosts);
}

/** The plain listeners to the events of queues among an application's providers. */
export function listenersAmong(hosts: readonly HandlerMethod['wrapper'][]): PlainProcessor[] {
  return namedBy(LISTENER, 'queueName', hosts);
}

function namedBy(key: string, property: string, hosts: readonly HandlerMethod['wrapper'][]): PlainProcessor[] {
  return hosts.flatMap((wrapper) => {
    const type = classOf(wrapper);
    const written = type ? (Reflect.getMetadata(key, type) as Record<string, unknown> | undefined) : undefined;
    const queue = written?.[property];
    return type && typeof queue === 'string' ? [{ queue, label: type.name }] : [];
  });
}
