import type { PublishImpact } from '@millrace/admin';
import type { Duration, PublishResult } from '@millrace/core';
import { Option } from 'commander';
import { usage } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions } from '../operator/operator.js';
import { BYTES, COUNT, LIST, TEXT, YES_NO } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { Column } from '../output/table.js';
import { duration } from '../session/common-options.js';
import { header } from '../session/filter-options.js';

export const EFFECT: readonly Column<JsonOf<PublishImpact>>[] = [
  { title: 'payload', form: BYTES, of: ({ bytes }) => bytes },
  { title: 'partitions', form: COUNT, of: ({ partitions }) => partitions },
  { title: 'groups', form: LIST, of: ({ groups }) => groups },
];

/** Where messages went. */
export const PUBLISHED: Shape<JsonOf<PublishResult>> = {
  id: ({ id }) => id,
  columns: [
    { title: 'id', form: TEXT, of: ({ id }) => id },
    { title: 'place', form: TEXT, of: ({ partition, offset }) => `${partition}:${offset ?? '-'}` },
    { title: 'duplicate', form: YES_NO, of: ({ duplicate }) => duplicate },
  ],
};

export interface MessageOptions {
  readonly key?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly idempotencyKey?: string;
  readonly delay?: Duration;
}

/** The options that say how a message is published. */
export function messageOptions(): Option[] {
  return [
    new Option('-k, --key <key>', 'the key of the message, which decides its partition'),
    new Option('-H, --header <name=value>', 'a header of the message; may be given again').argParser(header),
    new Option('--type <type>', 'the type of the message, on a topic with several'),
    new Option('--idempotency-key <key>', 'store it once, however often it is published'),
    new Option('--delay <duration>', 'let groups have it so much later').argParser(duration),
  ];
}

/** The options as the operations have them. */
export function messageOf({ key, header: headers, type, idempotencyKey, delay }: MessageOptions): OperationOptions {
  return { key, headers, type, idempotencyKey, delay };
}

/** @throws CliError USAGE */
export function payloadIn(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usage(`${where} is no JSON: write texts in quotes, as '"text"', and names of properties, too.`);
  }
}
