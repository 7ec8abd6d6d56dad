#!/usr/bin/env node
import { pathToFileURL } from 'node:url';
import { packageOf, runHost } from '@millrace/host';

// Nothing here imports Nest before it is known whose.
await runHost({
  name: 'millrace-worker',
  summary: 'Runs the handlers of a NestJS application: a worker, with no HTTP but health.',
  start: async (file) => {
    const { runApplication } = await millraceOf(file);
    await runApplication(process.env);
  },
});

/** Millrace of the application, else that of this package. */
async function millraceOf(file: string): Promise<typeof import('@millrace/nestjs')> {
  const found = packageOf(file, '@millrace/nestjs');
  if (found === null) return import('@millrace/nestjs');
  return (await import(pathToFileURL(found).href)) as typeof import('@millrace/nestjs');
}
