import { usage } from '../failure/cli-error.js';

export type Schema = Readonly<Record<string, unknown>>;

/** A type of message. */
export interface MessageContract {
  /** Null where the document does not say it. */
  readonly version: number | null;
  readonly schema: Schema;
}

export interface TopicContract {
  /** Null where the document does not say it. */
  readonly partitions: number | null;
  /** By their types; `payload` for messages without a type. */
  readonly messages: ReadonlyMap<string, MessageContract>;
}

/** Topics with the schemas of their messages, as `millrace schema export` prints them. */
export interface Contracts {
  /** By their names. */
  readonly topics: ReadonlyMap<string, TopicContract>;
  /** Schemas that others refer to, by their names. */
  readonly definitions: Schema;
}

/** The beginnings of references. */
export const DEFINITIONS = /^#\/(?:components\/schemas|\$defs)\//;

/**
 * Reads a document, AsyncAPI 3.0 or JSON Schema. Topics that are known in Redis alone have no contract, and are left out.
 *
 * @param source names it in errors
 * @throws CliError USAGE for any other document
 */
export function contractsIn(document: unknown, source: string): Contracts {
  const { asyncapi, channels, components, properties, $defs } = record(document);
  if (isRecord(channels) && typeof asyncapi === 'string' && asyncapi.startsWith('3.')) {
    return { topics: topicsIn(channels, 'messages', ({ payload, ...rest }) => [payload, rest]), definitions: record(record(components)['schemas']) };
  }
  if (isRecord(properties) && isRecord($defs)) return { topics: topicsIn(properties, 'properties', (schema) => [schema, {}]), definitions: $defs };
  throw usage(`${source} has no topics of millrace schema export: neither AsyncAPI 3 nor JSON Schema. Export it again, with --asyncapi or --jsonschema.`);
}

/** The schema that a reference leads to, with what stands beside it; any other is what it is. @throws CliError USAGE */
export function resolved(schema: Schema, { definitions }: Contracts): Schema {
  const { $ref, ...beside } = schema;
  if ($ref === undefined) return schema;
  const name = typeof $ref === 'string' && DEFINITIONS.test($ref) ? $ref.replace(DEFINITIONS, '') : null;
  if (name !== null && Object.hasOwn(definitions, name)) return { ...record(definitions[name]), ...beside };
  throw usage(`A document refers to ${JSON.stringify($ref)}, which is not in it. Export it again with millrace schema export.`);
}

function topicsIn(topics: Schema, part: string, split: (message: Schema) => [schema: unknown, rest: Schema]): Contracts['topics'] {
  const read = Object.entries(topics).map(([name, topic]): [string, TopicContract] => {
    const { [part]: messages, 'x-millrace-partitions': partitions } = record(topic);
    const contracts = Object.entries(record(messages)).map(([type, message]): [string, MessageContract] => {
      const [schema, rest] = split(record(message));
      return [type, { schema: record(schema), version: numberIn(rest['x-millrace-version']) }];
    });
    return [name, { partitions: numberIn(partitions), messages: new Map(contracts) }];
  });
  return new Map(read.filter(([, { messages }]) => messages.size > 0));
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

/** The value where it is an object, else an empty one. */
export function record(value: unknown): Schema {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Schema {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
