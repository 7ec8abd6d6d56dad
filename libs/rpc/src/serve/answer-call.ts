import { inboxKey, SERVERS } from '../keys.js';
import type { Settlement } from './settlement.js';

/** Keys and arguments of one call of `answer.lua`. */
export interface AnswerCall {
  /** In the order of the letters that it replies. */
  readonly items: readonly Settlement[];
  readonly keys: readonly string[];
  /** Those behind the group and the mode. */
  readonly args: readonly (string | number)[];
}

interface Place {
  readonly prefix: string;
  /** The stream of the requests. */
  readonly key: string;
  /** The inboxes that are answered to in the call; the others have their answers. */
  readonly inboxes: readonly string[];
}

export function answerCallOf(items: readonly Settlement[], { prefix, key, inboxes }: Place): AnswerCall {
  const groups: Settlement[][] = inboxes.map(() => []);
  const rest: Settlement[] = [];
  for (const item of items) (groups[inboxes.indexOf(item.inbox)] ?? rest).push(item);
  const ordered = groups.length === 1 && rest.length === 0 ? items : [...groups.flat(), ...rest];
  const args: (string | number)[] = [ordered.length];
  for (const { entryId } of ordered) args.push(entryId);
  for (const group of groups) {
    args.push(group.length);
    for (const { field, value } of group) args.push(field, value);
  }
  return { items: ordered, keys: [key, ...inboxes.map((inbox) => inboxKey(prefix, inbox))], args };
}

export function headOf(isUnsure: boolean): readonly string[] {
  return [SERVERS, isUnsure ? '1' : '0'];
}

/** There are few in one batch: processes call in bursts. */
export function inboxesOf(items: readonly Settlement[]): string[] {
  const inboxes: string[] = [];
  for (const { inbox } of items) if (inbox !== '' && !inboxes.includes(inbox)) inboxes.push(inbox);
  return inboxes;
}
