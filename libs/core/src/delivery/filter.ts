import type { Message } from './delivery.js';

/** Which messages a subscription handles: those that fit every part that is given. Of a list, any value fits. */
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
