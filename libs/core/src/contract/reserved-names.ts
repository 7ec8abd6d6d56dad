/** A property whose name every object has already: `constructor`, `__proto__`, `toString` and the like. */
export interface ReservedProperty {
  readonly path: readonly string[];
  readonly name: string;
  readonly value: unknown;
}

export function isReserved(name: string): boolean {
  return name in Object.prototype;
}

/**
 * A copy of JSON data without its properties of reserved names, which class-transformer drops or takes for classes.
 *
 * @param found takes the properties that are left out
 */
export function setAside(value: unknown, found: ReservedProperty[], path: readonly string[] = []): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item, index) => setAside(item, found, [...path, String(index)]));
  const copy: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(value)) {
    if (isReserved(name)) found.push({ path, name, value: property });
    else copy[name] = setAside(property, found, [...path, name]);
  }
  return copy;
}

/**
 * Gives the properties back, as plain data: nothing's prototype changes.
 *
 * @returns those whose object is not there any more
 */
export function putBack(target: object, found: readonly ReservedProperty[]): ReservedProperty[] {
  return found.filter(({ path, name, value }) => {
    const owner = path.reduce<unknown>((object, step) => (object as Record<string, unknown> | null | undefined)?.[step], target);
    if (owner === null || typeof owner !== 'object') return true;
    Object.defineProperty(owner, name, { value, writable: true, enumerable: true, configurable: true });
    return false;
  });
}
