import { isAbsolute, relative, sep } from 'node:path';

/**
 * The place of a file: `unit` is the library or application that owns it (`libs/core`, `apps/shop`), or null for the files
 * around them; `test` is true in the `test` folder of a unit and in specs.
 *
 * @param {string} root absolute path of the repository
 * @param {string} file absolute path
 */
export function placeOf(root, file) {
  const inside = relative(root, file);
  if (isAbsolute(inside) || inside.startsWith('..')) return { unit: null, kind: 'outside', name: '', test: false };
  const [kind = '', name = '', folder = ''] = inside.split(sep);
  const test = folder === 'test' || inside.endsWith('.spec.ts');
  if (kind !== 'libs' && kind !== 'apps') return { unit: null, kind: 'around', name: '', test };
  return { unit: `${kind}/${name}`, kind, name, test };
}
