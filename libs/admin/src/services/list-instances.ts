import { IsName, parseOptions } from '@millrace/core';
import type { Instance, Rpc } from '@millrace/rpc';
import type { MemberPresence } from '@millrace/streams';
import { IsOptional } from 'class-validator';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { UseCaseParts } from '../parts.js';

/** The options of `services.instances`. */
export class ListInstancesOptions extends PageOptions {
  /** Those of one service. Default: all. */
  @IsOptional() @IsName('service')
  service?: string;
}

type Shown = 'service' | 'version' | 'member' | 'host' | 'pid' | 'weight' | 'tags' | 'draining';

/** An instance of a service, as the registry has it. */
export interface ListedInstance extends Pick<Instance, Shown> {
  /** By the clock of its process. */
  readonly startedAt: Date;
  readonly metadata: Readonly<Record<string, string>>;
  readonly methods: readonly string[];
  /** How long ago its process gave its last sign of life, in milliseconds; null when there is none. */
  readonly heardMs: number | null;
  readonly state: MemberPresence['state'];
}

/**
 * The instances of services, by service, version and member. That of a process that died stays until others have found that out.
 */
export async function listInstances(
  { streams }: UseCaseParts,
  { instances }: Pick<Rpc, 'instances'>,
  options: ListInstancesOptions = {},
): Promise<Page<ListedInstance>> {
  const { limit, cursor, service }: ListInstancesOptions = parseOptions(ListInstancesOptions, options, 'services.instances()');
  const question = questionOf('instances', service);
  const start = positionIn(cursor, question, isPosition);
  const known = (await instances.list()).filter((instance) => service === undefined || instance.service === service);
  // A member serves one version of one service.
  const first = start === null ? 0 : known.findIndex((instance) => placeOf(instance) > start.after);
  const rest = first < 0 ? [] : known.slice(first);
  const page = rest.slice(0, limit);
  const presences = await Promise.all(page.map(({ member }) => streams.inspector.presence(member)));
  const items = page.map((instance, index) => listed(instance, presences[index]!));
  const position = page.length === rest.length ? null : { after: placeOf(page.at(-1)!) };
  return pageOf(items, { question, scanned: page.length, position });
}

function placeOf({ service, version, member }: Instance): string {
  return [service, version, member].join(' ');
}

function listed(instance: Instance, { heardMs, state }: MemberPresence): ListedInstance {
  const { service, version, member, host, pid, weight, tags, draining, startedAt, metadata, methods } = instance;
  const own = { service, version, member, host, pid, weight, tags, draining, heardMs, state };
  return { ...own, startedAt: new Date(startedAt), metadata: Object.fromEntries(metadata), methods: [...methods.keys()] };
}

function isPosition(value: unknown): value is { after: string } {
  const after = partsOf(value)?.['after'];
  return typeof after === 'string' && after.length <= 1_024;
}
