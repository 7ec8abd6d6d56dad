import { OPERATIONS } from '@millrace/admin';
import { OTHER_ROUTES } from './documents/other-routes.js';

interface Route {
  readonly pattern: RegExp;
  readonly method: 'GET' | 'POST';
}

const ROUTES = [...OPERATIONS, ...OTHER_ROUTES].map(({ path, method }): Route => ({ pattern: patternOf(path), method }));

/**
 * The methods that a path of the API has, as the header `Allow` lists them; empty for a path that no route has.
 *
 * @param path without the first part: `/topics/shop.orders`
 */
export function methodsAt(path: string): readonly string[] {
  const own = new Set(ROUTES.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
  return [...own].sort().flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
}

function patternOf(path: string): RegExp {
  const parts = path.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/\./g, '\\.')));
  return new RegExp(`^${parts.join('/')}$`);
}
