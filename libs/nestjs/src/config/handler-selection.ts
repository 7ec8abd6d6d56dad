import { isName, type NameKind, quote, unknownName } from '@millrace/core';
import { ValidateBy, type ValidationArguments } from 'class-validator';

/** The names of the groups, queues and services that run; a list that is left out names none. */
export interface SelectedHandlers {
  readonly groups?: readonly string[];
  readonly queues?: readonly string[];
  readonly services?: readonly string[];
}

/**
 * The handlers that a process runs: all, none, only those of broadcasts, or those of broadcasts and of the named groups, queues
 * and services.
 */
export type HandlerSelection = SelectionWord | SelectedHandlers;

export const SELECTION_WORDS = ['all', 'none', 'broadcasts'] as const;
export type SelectionWord = (typeof SELECTION_WORDS)[number];

export function selectsGroup(selection: HandlerSelection, group: string): boolean {
  return selects(selection, 'groups', group);
}

export function selectsQueue(selection: HandlerSelection, queue: string): boolean {
  return selects(selection, 'queues', queue);
}

export function selectsService(selection: HandlerSelection, service: string): boolean {
  return selects(selection, 'services', service);
}

/** The property is a {@link HandlerSelection}. */
export function IsHandlerSelection(): PropertyDecorator {
  return ValidateBy({
    name: 'isHandlerSelection',
    validator: {
      validate: (value: unknown) => selectionProblems(value).length === 0,
      defaultMessage: (given?: ValidationArguments) => `handlers ${selectionProblems(given?.value).join('; ')}`,
    },
  });
}

function selects(selection: HandlerSelection, kind: keyof SelectedHandlers, name: string): boolean {
  if (typeof selection === 'string') return selection === 'all';
  return selection[kind]?.includes(name) ?? false;
}

const KINDS: Record<string, NameKind> = { groups: 'group', queues: 'queue', services: 'service' };

export function selectionProblems(value: unknown): string[] {
  if (SELECTION_WORDS.some((word) => word === value)) return [];
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return [`must be 'all', 'none', 'broadcasts' or { groups: [...], queues: [...], services: [...] }, not ${quote(value)}`];
  }
  const given = Object.entries(value).filter(([, names]) => names !== undefined);
  if (given.length === 0) return ["must name groups, queues or services; 'none' runs nothing"];
  return given.flatMap(([name, names]) => {
    const kind = KINDS[name];
    return kind ? listProblems(name, kind, names) : [unknownName('option', name, Object.keys(KINDS))];
  });
}

function listProblems(name: string, kind: NameKind, names: unknown): string[] {
  if (!Array.isArray(names) || names.length === 0) return [`must give ${name} as a list of at least one name`];
  return names.filter((item) => !isName(item)).map((item) => `holds ${quote(item)}, which cannot be the name of a ${kind}`);
}
