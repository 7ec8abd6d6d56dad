import type { HandlerMethod } from './handler-method.js';
import { listed } from './listed.js';

type Instances = ReadonlyMap<HandlerMethod['type'], readonly HandlerMethod['wrapper'][]>;

/** Classes with several instances, of which one handles: handlers of groups and queues never see the state of the others. */
export function secondInstances(instances: Instances, handling: readonly HandlerMethod[]): string[] {
  const types = new Set(handling.map(({ type }) => type));
  return [...types].flatMap((type) => {
    const wrappers = instances.get(type) ?? [];
    return wrappers.length > 1 ? [warningOf(type, wrappers)] : [];
  });
}

function warningOf({ name }: HandlerMethod['type'], wrappers: readonly HandlerMethod['wrapper'][]): string {
  const modules = wrappers.map(({ host }) => host.name);
  return (
    `${name} is provided ${wrappers.length} times, by ${listed(modules)}, so there are ${wrappers.length} instances of it; messages and ` +
    `jobs are given to that of ${modules[0]!} alone. Provide it in one module that exports it and import that module, or make a class with ` +
    'a group of its own for each.'
  );
}
