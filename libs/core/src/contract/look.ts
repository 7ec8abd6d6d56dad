import { isReserved } from './reserved-names.js';

export type Look = 'plain' | 'reserved names' | 'too deep';

/** Runs before any recursive function of a library walks through parsed JSON. */
export function lookAt(value: object, levels: number): Look {
  if (levels === 0) return 'too deep';
  let look: Look = 'plain';
  for (const name of Object.keys(value)) {
    const part: unknown = Reflect.get(value, name);
    const inside = part !== null && typeof part === 'object' ? lookAt(part, levels - 1) : 'plain';
    if (inside === 'too deep') return inside;
    if (inside !== 'plain' || isReserved(name)) look = 'reserved names';
  }
  return look;
}
