import { loadScript, type RedisConnection } from '@millrace/redis';
import type { RegistryKeys } from '../keys.js';
import { INSTANCE_BOUNDS } from './instance.js';

const changeInstance = loadScript('./change-instance.lua', import.meta.url);

/** The place of the registry. */
export interface RegistryPlace {
  readonly connection: RedisConnection;
  readonly keys: RegistryKeys;
}

/** A field of the registry and its text. */
export interface StoredField {
  readonly field: string;
  readonly text: string;
}

/** The answer to a registration: the version, or instances with another contract. */
export type Registered = { readonly version: number } | { readonly conflicts: readonly StoredField[] };

/**
 * Puts an instance into the registry, unless instances of the same service and version have another contract.
 *
 * @param siblings the beginning of their fields
 * @param ignored fields of instances that do not count
 * @throws RedisFailure
 */
export async function putInstance(
  place: RegistryPlace,
  { field, text }: StoredField,
  { siblings, ignored }: { readonly siblings: string; readonly ignored: readonly string[] },
): Promise<Registered> {
  const [kind, ...rest] = await change(place, [field, text, '', INSTANCE_BOUNDS.textBytes, siblings, ...ignored]);
  return kind === 'conflict' ? { conflicts: fieldsIn(rest) } : { version: Number(rest[0]) };
}

/**
 * Removes an instance; one that has another text by now stays.
 *
 * @param text '' for any
 * @throws RedisFailure
 */
export async function removeInstance(place: RegistryPlace, { field, text }: StoredField): Promise<void> {
  await change(place, [field, '', text, INSTANCE_BOUNDS.textBytes, '']);
}

async function change({ connection, keys }: RegistryPlace, args: readonly (string | number)[]): Promise<string[]> {
  return (await connection.run(changeInstance, [keys.instances, keys.state], [keys.changes, ...args])) as string[];
}

/** Fields and texts in turn. */
export function fieldsIn(list: readonly string[]): StoredField[] {
  const fields: StoredField[] = [];
  for (let at = 0; at + 1 < list.length; at += 2) fields.push({ field: list[at]!, text: list[at + 1]! });
  return fields;
}
