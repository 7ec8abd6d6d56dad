import { type ErrorCode, MillraceError, unknownName } from '@millrace/core';
import type { HandlerSelection } from '../config/handler-selection.js';
import type { DeclaredHandlers } from './declared-handlers.js';

/** Selected names that no handler has: this process would wait for work that never comes. */
export function unknownSelections(selection: HandlerSelection, declared: DeclaredHandlers): MillraceError[] {
  if (typeof selection === 'string') return [];
  const groups = declared.subscriptions.map(({ group }) => group);
  const queues = declared.jobs.map(({ job }) => job.queue);
  const services = declared.methods.map(({ contract }) => contract.service);
  return [
    ...unknowns({ what: 'group', code: 'UNKNOWN_GROUP', selected: selection.groups, known: groups, decorator: '@Subscribe' }),
    ...unknowns({ what: 'queue', code: 'UNKNOWN_QUEUE', selected: selection.queues, known: queues, decorator: '@JobHandler' }),
    ...unknowns({ what: 'service', code: 'UNKNOWN_SERVICE', selected: selection.services, known: services, decorator: '@RpcService' }),
  ];
}

interface Names {
  readonly what: string;
  readonly code: ErrorCode;
  readonly selected: readonly string[] | undefined;
  readonly known: readonly string[];
  readonly decorator: string;
}

function unknowns({ what, code, selected = [], known, decorator }: Names): MillraceError[] {
  const names = [...new Set(known)];
  const unknown = selected.filter((name) => !names.includes(name));
  return unknown.map((name) =>
    names.length > 0
      ? new MillraceError(code, `This process is to run handlers that do not exist: ${unknownName(what, name, names)}`)
      : new MillraceError(code, `This process is to run ${what} '${name}', but the application has no ${decorator} at all.`),
  );
}
