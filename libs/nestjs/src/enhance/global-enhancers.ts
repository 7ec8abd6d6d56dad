import type { ApplicationConfig } from '@nestjs/core';
import { MillraceError } from '@millrace/core';

/**
 * Refuses a global guard that is made anew for each request around handlers that are not: Nest would leave it out, and the
 * handlers would stay unguarded.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertNoScopedGlobals(globals: ApplicationConfig | undefined): void {
  const scoped = [
    ...(globals?.getGlobalRequestGuards() ?? []),
    ...(globals?.getGlobalRequestPipes() ?? []),
    ...(globals?.getGlobalRequestInterceptors() ?? []),
    ...(globals?.getGlobalRequestFilters() ?? []),
  ];
  const [first] = scoped;
  if (!first) return;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `globalEnhancers: true cannot apply ${first.metatype?.name ?? 'a global enhancer'}, which is request-scoped or transient: ` +
      'make it a singleton, or put it on the handlers themselves (@UseGuards and the like).',
  );
}
