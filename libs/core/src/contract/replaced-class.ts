/**
 * A class decorator may return another class, and the contract stays on the first one. Returns a sentence that says so when
 * the class extends a contract, or is a proxy for one; else nothing.
 */
export function replacedClassHint(target: unknown, isContract: (type: unknown) => boolean): string {
  if (typeof target !== 'function') return '';
  const { constructor } = (target.prototype ?? {}) as { constructor?: unknown };
  if (![Object.getPrototypeOf(target), constructor].some(isContract)) return '';
  return ' It stands for a class that is one: if a class decorator put it in the place of that class, write ours above that decorator.';
}
