import { Processor } from '@nestjs/bullmq';
import { classOf } from '../explore/handler-finder.js';
import type { HandlerMethod } from '../explore/handler-method.js';

/** What `@Processor` writes on a class; the name of the key is not exported, so it is read off a class of our own. */
@Processor('probe')
class Probe {}
const PROCESSOR = Reflect.getMetadataKeys(Probe).find((key) => String(key).includes('processor')) as string;

export interface PlainProcessor {
  readonly queue: string;
  /** The class's name. */
  readonly label: string;
}

/** The plain BullMQ processors among an application's providers. */
export function processorsAmong(hosts: readonly HandlerMethod['wrapper'][]): PlainProcessor[] {
  return hosts.flatMap((wrapper) => {
    const type = classOf(wrapper);
    const written = type ? (Reflect.getMetadata(PROCESSOR, type) as { name?: unknown } | undefined) : undefined;
    return type && typeof written?.name === 'string' ? [{ queue: written.name, label: type.name }] : [];
  });
}
