import { isDeepStrictEqual } from 'node:util';
import type { Change, Told } from './change.js';
import { type Contracts, record, resolved, type Schema, type TopicContract } from './contracts.js';
import { ruleChanges } from './rule-changes.js';
import { typeChanges, valueChanges } from './value-changes.js';

/**
 * The changes from one document to another one: those that break something first, then by their paths.
 *
 * @throws CliError USAGE for a reference that leads nowhere
 */
export function changesOf(before: Contracts, after: Contracts): Change[] {
  const found = inBoth(before.topics, after.topics, 'topic').flatMap(({ name, told, both }) => {
    return [...told.map((change) => ({ ...change, path: name })), ...(both ? topicChanges(name, both, [before, after]) : [])];
  });
  return found.sort((a, b) => order(a.kind, b.kind) || order(a.path, b.path) || order(a.what, b.what));
}

type Pair<T> = readonly [before: T, after: T];

function topicChanges(path: string, [before, after]: Pair<TopicContract>, documents: Pair<Contracts>): Change[] {
  const types = inBoth(before.messages, after.messages, 'type').flatMap(({ name, told, both }) => {
    const at = `${path}/${name}`;
    if (both === null) return told.map((change) => ({ ...change, path: at }));
    const [old, now] = both;
    return [...numberChange('version', at, [old.version, now.version]), ...new Comparison(documents).of(at, [old.schema, now.schema])];
  });
  return [...numberChange('partitions', path, [before.partitions, after.partitions]), ...types];
}

/** A topic takes more partitions while it is in use, and never fewer. */
function numberChange(what: 'version' | 'partitions', path: string, [before, after]: Pair<number | null>): Change[] {
  if (before === null || after === null || before === after) return [];
  const kind = what === 'partitions' && after < before ? 'breaking' : 'compatible';
  return [{ kind, path, what: `${what}: ${before} is ${after} now` }];
}

interface Named<T> {
  readonly name: string;
  readonly told: readonly Told[];
  /** Null for one that is not in both. */
  readonly both: Pair<T> | null;
}

function inBoth<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>, what: string): Named<T>[] {
  return [...new Set([...before.keys(), ...after.keys()])].map((name) => {
    if (!after.has(name)) return { name, told: [{ kind: 'breaking', what: `the ${what} is gone` }], both: null };
    if (!before.has(name)) return { name, told: [{ kind: 'compatible', what: `the ${what} is new` }], both: null };
    return { name, told: [], both: [before.get(name)!, after.get(name)!] };
  });
}

/** Goes through the schemas of two documents side by side. */
class Comparison {
  readonly #documents: Pair<Contracts>;
  /** The pairs of references that lead here: a class may have parts of its own class. */
  readonly #open = new Set<string>();

  constructor(documents: Pair<Contracts>) {
    this.#documents = documents;
  }

  of(path: string, [before, after]: Pair<Schema>): Change[] {
    const pair = JSON.stringify([before['$ref'], after['$ref']]);
    const isRecursive = '$ref' in before && '$ref' in after;
    if (isRecursive && this.#open.has(pair)) return [];
    this.#open.add(pair);
    const [old, now] = this.#documents;
    const changes = this.#schemas(path, [resolved(before, old), resolved(after, now)]);
    this.#open.delete(pair);
    return changes;
  }

  #schemas(path: string, [before, after]: Pair<Schema>): Change[] {
    const types = typeChanges(before, after);
    const own = [...types, ...(types.some(isBreaking) ? [] : [...valueChanges(before, after), ...ruleChanges(before, after)])];
    const told = own.map((change) => ({ ...change, path }));
    if (types.some(isBreaking)) return told;
    return [...told, ...this.#properties(path, [before, after]), ...this.#items(path, [before, after])];
  }

  #properties(path: string, [before, after]: Pair<Schema>): Change[] {
    const [old, now] = [propertiesOf(before), propertiesOf(after)];
    const [neededBefore, neededNow] = [requiredOf(before), requiredOf(after)];
    return [...new Set([...old.keys(), ...now.keys()])].flatMap((name) => {
      const [was, is] = [old.get(name), now.get(name)];
      const at = `${path}/${name}`;
      if (is === undefined) return [breaking(at, `the field is gone${renamed(was, [old, now])}`)];
      const needed = neededNow.has(name);
      if (was === undefined) return [needed ? breaking(at, 'the field is new and required') : compatible(at, 'the field is new')];
      const need = needed === neededBefore.has(name) ? [] : [needed ? breaking(at, 'it is required now') : compatible(at, 'it is optional now')];
      return [...need, ...this.of(at, [was, is])];
    });
  }

  #items(path: string, [before, after]: Pair<Schema>): Change[] {
    if (!('items' in before) && !('items' in after)) return [];
    return this.of(`${path}[]`, [record(before['items']), record(after['items'])]);
  }
}

function isBreaking({ kind }: Told): boolean {
  return kind === 'breaking';
}

function breaking(path: string, what: string): Change {
  return { kind: 'breaking', path, what };
}

function compatible(path: string, what: string): Change {
  return { kind: 'compatible', path, what };
}

/** A new field with the same schema may be the one that is gone. */
function renamed(gone: Schema | undefined, [old, now]: Pair<ReadonlyMap<string, Schema>>): string {
  const [name] = [...now].find(([each, schema]) => !old.has(each) && isDeepStrictEqual(schema, gone)) ?? [];
  return name === undefined ? '' : `, perhaps renamed: ${name} is new and has the same schema`;
}

function propertiesOf(schema: Schema): ReadonlyMap<string, Schema> {
  return new Map(Object.entries(record(schema['properties'])).map(([name, property]) => [name, record(property)]));
}

function requiredOf({ required }: Schema): ReadonlySet<unknown> {
  return new Set(Array.isArray(required) ? required : []);
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
