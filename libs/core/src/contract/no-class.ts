/** For a place where a class should stand and there is none: how that comes about, and what to do. */
export const IN_A_CIRCLE =
  'When the class is written and imported well, files import each other in a circle and it is not there yet: move what both of them ' +
  'need into a file of its own.';
