/**
 * The kinds of fields that make a streamed answer: `o` says that it is open, and which member serves it, once and then now and
 * again; `i` an item, its JSON text behind it; `d` the end, when the method is done; `f` the end, with the error by which it
 * failed, as JSON. Each says which run of the method it belongs to, and a number: that of the item, from 1 on, else how many
 * items there were before.
 */
export type StreamKind = 'o' | 'i' | EndKind;
export type EndKind = 'd' | 'f';

export interface StreamFrame {
  readonly kind: StreamKind;
  readonly correlation: number;
  /** One execution of a method; another one for the same request has another name. */
  readonly run: string;
  readonly number: number;
}

/** Most items that a service may be allowed to send ahead. */
export const MOST_WINDOW = 10_000;
/** Items that it may send ahead unless the caller says otherwise. */
export const DEFAULT_WINDOW = 64;

/** Safe integers in decimal digits, and a run between them. */
const FIELD = /^([oidf])(0|[1-9]\d{0,15})\.([\w-]{1,16})\.(0|[1-9]\d{0,15})$/;

export function streamField({ kind, correlation, run, number }: StreamFrame): string {
  return `${kind}${correlation}.${run}.${number}`;
}

/** @returns null for a field that belongs to no streamed answer; never throws */
export function parseStreamField(field: unknown): StreamFrame | null {
  const parts = typeof field === 'string' ? FIELD.exec(field) : null;
  if (parts === null) return null;
  return { kind: parts[1] as StreamKind, correlation: Number(parts[2]), run: parts[3]!, number: Number(parts[4]) };
}

/** A caller lets the service send items up to a number, or, with 0, waits for no more of them. */
export interface Grant {
  /** The member name of the caller. */
  readonly inbox: string;
  readonly correlation: number;
  readonly run: string;
  /** The number of the last item that may be sent; a lower one than before says nothing. */
  readonly upTo: number;
}

const GRANT = /^(\S{1,200}) (0|[1-9]\d{0,15}) ([\w-]{1,16}) (0|[1-9]\d{0,15})$/;

/** The grants of one tick for one instance, a line each. */
export function grantText({ inbox, correlation, run, upTo }: Grant): string {
  return `${inbox} ${correlation} ${run} ${upTo}`;
}

/** @returns the grants in a message; never throws, and leaves out what is none */
export function parseGrants(message: string): Grant[] {
  return message.split('\n').flatMap((line) => {
    const parts = GRANT.exec(line);
    return parts === null ? [] : [{ inbox: parts[1]!, correlation: Number(parts[2]), run: parts[3]!, upTo: Number(parts[4]) }];
  });
}
