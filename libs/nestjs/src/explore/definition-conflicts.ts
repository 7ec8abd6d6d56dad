import { isDeepStrictEqual } from 'node:util';
import { MillraceError, type TopicDefinition } from '@millrace/core';
import { listed } from './listed.js';
import { groupedBy } from './same-name.js';

/** The traits of a topic, by the names that they have in its definition, as an error calls them. */
const TRAITS: ReadonlyMap<keyof TopicDefinition, string> = new Map([
  ['partitions', 'partitions'], ['key', 'key'], ['idempotencyWindowMs', 'idempotencyWindow'], ['idempotencyScope', 'idempotencyScope'],
  ['ttlMs', 'ttl'], ['durability', 'durability'], ['retention', 'retention'], ['unknownProperties', 'unknownProperties'],
  ['types', 'types of messages'],
]);

/** Definitions of one name with other options: it would depend on the place of a publish or handler which of them hold. */
export function definitionConflicts(topics: readonly TopicDefinition[]): MillraceError[] {
  return [...groupedBy(topics, ({ name }) => name)].flatMap(([name, same]) => {
    const [first, ...others] = [...new Set(same)] as [TopicDefinition, ...TopicDefinition[]];
    const differing = [...new Set(others.flatMap((other) => differences(first, other)))];
    return differing.length > 0 ? [conflict(name, differing)] : [];
  });
}

/** Two classes are a conflict of their own. */
function differences(one: TopicDefinition, other: TopicDefinition): string[] {
  if (one.payload !== other.payload && one.payload !== null && other.payload !== null) return [];
  const traits = [...TRAITS].filter(([name]) => !isDeepStrictEqual(one[name], other[name])).map(([, trait]) => trait);
  return one.payload === other.payload ? traits : ['payload', ...traits];
}

function conflict(name: string, differing: readonly string[]): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `Topic '${name}' is defined several times in this application, with different ${listed(differing)}. A topic is one definition: rename ` +
      'one of them, or import the same definition everywhere.',
  );
}
