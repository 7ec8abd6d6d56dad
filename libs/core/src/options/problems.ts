import type { ValidationError } from 'class-validator';

/** The problems that class-validator found, one line each, with the path of the property. */
export function problemsOf(errors: readonly ValidationError[], path = ''): string[] {
  return errors.flatMap((error) => {
    const here = /^\d+$/.test(error.property) ? `${path}[${error.property}]` : path ? `${path}.${error.property}` : error.property;
    const own = Object.values(error.constraints ?? {}).map((text) => text.replace(error.property, here));
    return [...own, ...problemsOf(error.children ?? [], here)];
  });
}
