import { isName, parseOptions } from '@millrace/core';
import type { Instance, Rpc } from '@millrace/rpc';
import { partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';

/** A service in one of its versions. */
export interface ServiceSummary {
  readonly service: string;
  readonly version: string;
  readonly instances: number;
  /** Instances that take no new calls. */
  readonly draining: number;
  /** The names of its methods. */
  readonly methods: readonly string[];
  /** Whether its instances disagree about its methods: callers may fail then. */
  readonly isConflicting: boolean;
}

const QUESTION = questionOf('services');

/** The services that have an instance in the registry, by their names; a page ends behind all versions of a service. */
export async function listServices({ instances }: Pick<Rpc, 'instances'>, options: PageOptions = {}): Promise<Page<ServiceSummary>> {
  const { limit, cursor } = parseOptions(PageOptions, options, 'services.list()');
  const start = positionIn(cursor, QUESTION, isPosition);
  const all = await instances.list();
  const names = [...new Set(all.map(({ service }) => service))].sort().filter((name) => start === null || name > start.after);
  const page = names.slice(0, limit);
  const items = page.flatMap((name) => versionsOf(all.filter(({ service }) => service === name)));
  const position = page.length === names.length ? null : { after: page.at(-1)! };
  return pageOf(items, { question: QUESTION, scanned: page.length, position });
}

function versionsOf(instances: readonly Instance[]): ServiceSummary[] {
  const versions = [...new Set(instances.map(({ version }) => version))].sort();
  return versions.map((version) => summaryOf(instances.filter((instance) => instance.version === version)));
}

/** @param instances of one version: one at least */
function summaryOf(instances: readonly Instance[]): ServiceSummary {
  const { service, version } = instances[0]!;
  return {
    service, version,
    instances: instances.length,
    draining: instances.filter(({ draining }) => draining).length,
    methods: [...new Set(instances.flatMap(({ methods }) => [...methods.keys()]))].sort(),
    isConflicting: new Set(instances.map(({ contract }) => contract)).size > 1,
  };
}

function isPosition(value: unknown): value is { after: string } {
  return isName(partsOf(value)?.['after']);
}
