import { applyDecorators, UseFilters, UseGuards } from '@nestjs/common';
import { Gate } from './gate.guard.js';
import { ProblemFilter } from './problem.filter.js';

/** The gate and the problems of our routes, which leave the application's own routes alone. */
export function Guarded(): ClassDecorator {
  return applyDecorators(UseGuards(Gate), UseFilters(ProblemFilter));
}
