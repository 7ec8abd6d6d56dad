import type { Message } from './delivery.js';

/** The messages that a subscription handles: those that fit every given part. In a list of values, any one fits. */
export interface MessageFilter {
  /** By the name of the header. A message without the header does not fit. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly key?: string | readonly string[];
  readonly type?: string | readonly string[];
}

/** The filter as a function: pure, and without any code but this. */
export function matcherOf({ headers = {}, key, type }: MessageFilter): (message: Message) => boolean {
  const byHeader = Object.entries(headers).map(([name, values]) => [name, allowed(values)] as const);
  const [isKey, isType] = [allowed(key), allowed(type)];
  return (message) =>
    isKey(message.key) && isType(message.type) && byHeader.every(([name, isValue]) => isValue(message.headers[name] ?? null));
}

function allowed(values: string | readonly string[] | undefined): (value: string | null) => boolean {
  if (values === undefined) return () => true;
  const set: ReadonlySet<string | null> = new Set([values].flat());
  return (value) => set.has(value);
}
