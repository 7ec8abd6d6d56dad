import type { ListedInstance, ServiceSummary } from '@millrace/admin';
import { Option } from 'commander';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf } from '../operator/operator.js';
import { COUNT, LIST, MILLISECONDS, MOMENT, TEXT, YES_NO } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import { cursorOption, limitOption } from '../session/common-options.js';
import { noteMore, readPages } from '../session/pages.js';
import { call, ping, stats } from './service-calls.js';

const SERVICES: Shape<JsonOf<ServiceSummary>> = {
  id: ({ service }) => service,
  columns: [
    { title: 'service', form: TEXT, of: ({ service }) => service },
    { title: 'version', form: TEXT, of: ({ version }) => version },
    { title: 'instances', form: COUNT, of: ({ instances }) => instances },
    { title: 'draining', form: COUNT, of: ({ draining }) => draining },
    { title: 'conflict', form: YES_NO, of: ({ isConflicting }) => isConflicting },
    { title: 'methods', form: LIST, of: ({ methods }) => methods },
  ],
};

const INSTANCES: Shape<JsonOf<ListedInstance>> = {
  id: ({ member }) => member,
  columns: [
    { title: 'service', form: TEXT, of: ({ service }) => service },
    { title: 'version', form: TEXT, of: ({ version }) => version },
    { title: 'member', form: TEXT, of: ({ member }) => member },
    { title: 'host', form: TEXT, of: ({ host }) => host },
    { title: 'pid', form: COUNT, of: ({ pid }) => pid },
    { title: 'state', form: TEXT, of: ({ state, draining }) => (draining ? 'draining' : state) },
    { title: 'heard', form: MILLISECONDS, of: ({ heardMs }) => heardMs },
    { title: 'started', form: MOMENT, of: ({ startedAt }) => startedAt },
    { title: 'tags', form: LIST, of: ({ tags }) => tags },
  ],
};

interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the services that have an instance.',
  options: [limitOption(1_000, 'services'), cursorOption()],
  examples: ['millrace services ls'],
  run: async (session) => {
    const pages = await readPages<ServiceSummary>(session, { operation: 'services.list' }, session.options<Paging>());
    session.output.list(pages, SERVICES);
    noteMore(pages, session);
  },
};

const info: CommandSpec = {
  name: 'info',
  summary: 'Show a service with its versions and its instances.',
  args: ['<service>'],
  examples: ['millrace services info payments'],
  run: async (session) => {
    const service = session.arg(0);
    const all = await readPages<ServiceSummary>(session, { operation: 'services.list' }, { limit: 1_000_000 });
    const versions = all.items.filter((each) => each.service === service);
    if (versions.length === 0) throw new CliError('NOT_FOUND', `No instance serves ${service} now. See millrace services ls.`);
    const question = { operation: 'services.instances', options: { service } };
    const { items: instances } = await readPages<ListedInstance>(session, question, { limit: 10_000 });
    const { output } = session;
    if (output.isForPeople) {
      output.list({ items: versions }, SERVICES);
      output.section('Instances', instances, INSTANCES.columns);
    } else {
      output.record({ service, versions, instances }, { columns: [], id: () => service });
    }
  },
};

const instanceList: CommandSpec = {
  name: 'ls',
  summary: 'List the instances of services.',
  options: [new Option('--service <name>', 'those of one service'), limitOption(1_000, 'instances'), cursorOption()],
  examples: ['millrace instances ls --service payments'],
  run: async (session) => {
    const { service, ...paging } = session.options<Paging & { service?: string }>();
    const pages = await readPages<ListedInstance>(session, { operation: 'services.instances', options: { service } }, paging);
    session.output.list(pages, INSTANCES);
    noteMore(pages, session);
  },
};

export const services: CommandGroup = { name: 'services', summary: 'Services that answer calls.', commands: [ls, info, ping, stats, call] };

export const instances: CommandGroup = { name: 'instances', summary: 'Instances of services.', commands: [instanceList] };
