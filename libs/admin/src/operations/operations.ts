import { MillraceError } from '@millrace/core';
import type { Admin, AdminServices } from '../create-admin.js';
import { PageOptions } from '../page/page.js';
import { ListInstancesOptions } from '../services/list-instances.js';
import { TraceOptions } from '../trace/trace-messages.js';
import { GROUP_OPERATIONS } from './group-operations.js';
import { JOB_OPERATIONS } from './job-operations.js';
import { type Operation, read } from './operation.js';
import { PAGE, TOPIC_OPERATIONS } from './topic-operations.js';

const PLATFORM_OPERATIONS: readonly Operation[] = [
  read({
    name: 'overview', path: '/overview', role: 'viewer',
    summary: 'Shows the health of Redis, sums over topics and the groups that are furthest behind.',
    run: (admin) => admin.overview(),
  }),
  read({
    name: 'doctor', path: '/doctor', role: 'viewer',
    summary: 'Looks for all that keeps a Redis from being fit for Millrace.',
    run: (admin) => admin.doctor(),
  }),
  read({
    name: 'trace', path: '/trace', role: 'viewer', options: TraceOptions,
    inputs: { ...PAGE, messageId: 'text', traceId: 'text', header: 'json', since: 'moment', mostEntries: 'number' },
    summary: 'Looks through all topics for the messages of a trace.',
    run: (admin, _target, options) => admin.trace(options),
  }),
  read({
    name: 'services.list', path: '/services', role: 'viewer', inputs: PAGE, options: PageOptions,
    summary: 'Lists the services that have an instance.',
    run: (admin, _target, options) => servicesOf(admin).list(options),
  }),
  read({
    name: 'services.instances', path: '/instances', role: 'viewer', inputs: { ...PAGE, service: 'text' }, options: ListInstancesOptions,
    summary: 'Lists the instances of services.',
    run: (admin, _target, options) => servicesOf(admin).instances(options),
  }),
  read({
    name: 'services.calls', path: '/calls', role: 'viewer',
    summary: 'Counts the calls of the process that answers, by method.',
    run: (admin) => Promise.resolve(servicesOf(admin).calls()),
  }),
  read({
    name: 'audit.list', path: '/audit', role: 'admin', inputs: PAGE, options: PageOptions,
    summary: 'Lists the actions of operators, the last one first.',
    run: (admin, _target, options) => admin.audit.list(options),
  }),
];

/** Every use case, for the faces: one that is not here is offered by none of them. */
export const OPERATIONS: readonly Operation[] = [
  ...TOPIC_OPERATIONS, ...GROUP_OPERATIONS, ...JOB_OPERATIONS, ...PLATFORM_OPERATIONS,
];

/** @throws MillraceError INVALID_OPTIONS when there is none of this name */
export function operationOf(name: string): Operation {
  const found = OPERATIONS.find((operation) => operation.name === name);
  if (found) return found;
  throw new MillraceError('INVALID_OPTIONS', `There is no operation ${name}.`);
}

function servicesOf({ services }: Admin): AdminServices {
  if (services) return services;
  throw new MillraceError('INVALID_OPTIONS', 'This process has no registry, so it knows nothing of services: ask one that has.');
}
