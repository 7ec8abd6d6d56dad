#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { packageOf, runHost } from '@millrace/host';

// Nothing here imports Nest before it is known whose.
await runHost({
  name: 'millrace-server',
  summary: 'Serves the HTTP API of Millrace beside a NestJS application.',
  start: async (file) => {
    const beside = packageOf(file, '@millrace/server/main');
    // The controllers need the Nest of the application, so the server that is installed beside it takes over.
    if (beside !== null && realpathSync(beside) !== realpathSync(import.meta.filename)) {
      return (await import(pathToFileURL(beside).href)) as unknown;
    }
    const { serveApplication } = await import('./serve-application.js');
    return serveApplication();
  },
});
