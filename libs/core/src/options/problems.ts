import type { ValidationError } from 'class-validator';

/** The problems that class-validator found, one line each, with the path of the property: `lines[2].quantity must be ...`. */
export function problemsOf(errors: readonly ValidationError[], path = ''): string[] {
  return errors.flatMap((error) => {
    const here = pathOf(error, path);
    const own = Object.entries(error.constraints ?? {}).map(([rule, text]) => problem(error, here, [rule, text]));
    return [...own, ...problemsOf(error.children ?? [], here)];
  });
}

/** An object of an unknown class is reported without a property: then it is the object itself that is at fault. */
function pathOf(error: ValidationError, path: string): string {
  const property: string | undefined = error.property;
  if (property === undefined) return path;
  if (/^\d+$/.test(property)) return `${path}[${property}]`;
  return path ? `${path}.${property}` : property;
}

/** The message of `@ValidateNested`. For an item of a list it names the list only. */
const NO_OBJECT = 'must be either object or array';

/** Puts the path in the place of the property; before the message, where that does not begin with the property. */
function problem(error: ValidationError, here: string, [rule, text]: [string, string]): string {
  if (text.endsWith(NO_OBJECT)) return `${here} ${NO_OBJECT}`;
  if (rule === 'unknownValue') return `${here || 'the value'} is of a class without rules: put @Type(() => ItsClass) on it, and rules on ItsClass`;
  if (here === error.property) return text;
  for (const start of ['', 'each value in ']) {
    const named = `${start}${error.property} `;
    if (text.startsWith(named)) return `${start}${here} ${text.slice(named.length)}`;
  }
  return `${here}: ${text}`;
}
