/** For a place where a class should stand and there is none: how that comes about, and what to do. */
const IN_A_CIRCLE =
  'When the class is written and imported well, files import each other in a circle and it is not there yet: move what both of them ' +
  'need into a file of its own.';

/** A value as an error names it: a class by its name. */
export function classText(target: unknown): string {
  if (typeof target === 'function') return target.name || 'an anonymous class';
  return `a value of type ${typeof target}`;
}

/** The advice, with the likely cause when there is no class at all. */
export function orInACircle(advice: string, target: unknown): string {
  return target === undefined ? `${advice} ${IN_A_CIRCLE}` : advice;
}
