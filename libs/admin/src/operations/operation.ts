import { MillraceError } from '@millrace/core';
import type { Admin } from '../create-admin.js';
import { plainInput } from '../input/plain-input.js';
import { partsOf } from '../page/cursor.js';
import type { InputKind } from './inputs.js';

/** Each role may do all that the ones before it may: look, act on messages and groups, remove topics and groups. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;

export type Role = (typeof ROLES)[number];

/** The parts of a path, by their names in it. */
export type Target = Readonly<Record<string, string>>;

/** A use case as the faces offer it: the HTTP API makes its route of it, the command line its request. */
export interface Operation {
  /** Its place in `Admin`: `groups.seek`. */
  readonly name: string;
  /** A `GET` changes nothing; a `POST` is an action, with the options of `MutationOptions` beside its own. */
  readonly method: 'GET' | 'POST';
  /** Behind the beginning of all paths: `/topics/:topic`. */
  readonly path: string;
  /** The least role that may do it. */
  readonly role: Role;
  /** Whether it asks for the right to send, too. */
  readonly sends: boolean;
  /** One sentence, for documents. */
  readonly summary: string;
  /** Its options by name, without `actor`, which the face knows. */
  readonly inputs: Inputs;
  /** The class that checks its options, for documents; null when it has none. */
  readonly options: (new () => object) | null;
  /** Null in the place of an answer means that the one thing that was asked for is not there. */
  readonly run: (admin: Admin, target: Target, options: never) => Promise<unknown>;
}

export type Inputs = Readonly<Record<string, InputKind>>;

type Optional = 'inputs' | 'options' | 'sends';

/** A row of the table without what its method says. */
export type Row = Omit<Operation, 'method' | Optional> & Partial<Pick<Operation, Optional>>;

export function read(row: Row): Operation {
  return { method: 'GET', inputs: {}, options: null, sends: false, ...row, run: checked(row.run) };
}

const ACTION: Inputs = { dryRun: 'boolean', confirm: 'text' };

export function action(row: Row): Operation {
  return { method: 'POST', options: null, sends: false, ...row, inputs: { ...row.inputs, ...ACTION }, run: checked(row.run) };
}

/** Its parts may be anything still: the use case checks them. */
function checked(run: Operation['run']): Operation['run'] {
  return async (admin, target, options) => {
    const parts = partsOf(plainInput(target));
    if (parts !== null) return run(admin, parts as Target, options);
    throw new MillraceError('INVALID_OPTIONS', 'The target of an operation must be an object: the parts of its path by their names, {} for none.');
  };
}

/** Whether a role may do what asks for another one. */
export function mayAct(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
