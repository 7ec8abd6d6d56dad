import { type Contracts, DEFINITIONS } from './contracts.js';

/**
 * The payloads of topics as one JSON Schema (2020-12): that of an object with a property for each topic, which has one for each
 * of its types, `payload` for messages without a type.
 */
export function jsonSchemaOf({ topics, definitions }: Contracts): object {
  const properties = [...topics].map(([name, { messages }]): [string, object] => {
    return [name, { type: 'object', properties: Object.fromEntries([...messages].map(([type, { schema }]) => [type, schema])) }];
  });
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Messages of Millrace', type: 'object',
    properties: Object.fromEntries(properties), $defs: definitions,
  };
  return JSON.parse(JSON.stringify(document), moved) as object;
}

/** References lead to where the definitions are in this document. */
function moved(key: string, value: unknown): unknown {
  return key === '$ref' && typeof value === 'string' ? value.replace(DEFINITIONS, '#/$defs/') : value;
}
