import { loadScript } from '@millrace/redis';
import { fieldsIn, type RegistryPlace, type StoredField } from './change-instance.js';
import { INSTANCE_BOUNDS } from './instance.js';

const readInstancesPage = loadScript('./read-instances.lua', import.meta.url);

/** With instances of a usual size a page is some hundred kilobytes. */
const PAGE = 256;
/** More than any number of instances takes: a registry that somebody has filled with anything ends here. */
const MOST_PAGES = 2_000;
const MOST_FIELDS = 10_000;
const MOST_CHARACTERS = 32 * 1024 * 1024;

export interface ReadInstances {
  /** As it was at the first page: what was changed later may be in it or not. */
  readonly version: number;
  /** The first version that this registry had; another one is that of a registry that was made anew. */
  readonly since: string;
  readonly fields: ReadonlyMap<string, string>;
  /** Instances that are too large, or too many. */
  readonly passedOver: number;
}

/**
 * Reads the instances of some services.
 *
 * @param services all of them when there is none
 * @throws RedisFailure
 */
export async function readInstances(place: RegistryPlace, services: readonly string[]): Promise<ReadInstances> {
  const fields = new Map<string, string>();
  let [cursor, version, since, passedOver, characters] = ['0', -1, '', 0, 0];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const [next, stateNow, passed, found] = await readPage(place, cursor, services);
    if (version < 0) ({ version, since } = stateNow);
    passedOver += passed;
    for (const { field, text } of found) {
      characters += field.length + text.length;
      if (fields.size < MOST_FIELDS && characters < MOST_CHARACTERS) fields.set(field, text);
      else passedOver += 1;
    }
    cursor = next;
    if (cursor === '0') break;
  }
  return { version, since, fields, passedOver };
}

/** @throws RedisFailure */
export async function readVersion({ connection, keys }: RegistryPlace): Promise<number> {
  return versionOf(await connection.call('HGET', keys.state, 'version'));
}

type Page = [next: string, state: Pick<ReadInstances, 'version' | 'since'>, passed: number, found: StoredField[]];

async function readPage(place: RegistryPlace, cursor: string, services: readonly string[]): Promise<Page> {
  const { connection, keys } = place;
  const args = [cursor, PAGE, INSTANCE_BOUNDS.fieldBytes, INSTANCE_BOUNDS.textBytes, ...services];
  const reply = await connection.run(readInstancesPage, [keys.instances, keys.state], args);
  const [next, version, passed, since, ...found] = reply as [string, string, number, string, ...string[]];
  return [next, { version: versionOf(version), since }, passed, fieldsIn(found)];
}

/** A version that is no number is taken for 0: the next change does not go on from it, so that all is read again. */
function versionOf(text: unknown): number {
  const version = Number(text ?? 0);
  return Number.isSafeInteger(version) && version >= 0 ? version : 0;
}
