import type { Condition } from '@millrace/admin';
import { InvalidArgumentError, Option } from 'commander';
import type { OperationOptions } from '../operator/operator.js';
import { condition } from './condition.js';

/** The options that say which messages are wanted. */
export interface FilterOptions {
  readonly key?: string;
  readonly type?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly where?: readonly Condition[];
}

export function filterOptions(): Option[] {
  return [
    new Option('-k, --key <key>', 'messages with this key'),
    new Option('--type <type>', 'messages of this type'),
    new Option('-H, --header <name=value>', 'messages with this header; may be given again').argParser(header),
    new Option('--text <text>', 'messages that hold this text, as JSON has it'),
    new Option('-w, --where <condition>', 'messages for which this holds, as payload.total>100; may be given again').argParser(condition),
  ];
}

/** The options as the operations have them. */
export function filterOf({ key, type, header: headers, text, where }: FilterOptions): OperationOptions {
  return { key, type, headers, text, where };
}

/** Reads `name=value`. */
export function header(text: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at > 0) return { ...earlier, [text.slice(0, at).trim()]: text.slice(at + 1) };
  throw new InvalidArgumentError('It must be the name of a header, = and its value.');
}
