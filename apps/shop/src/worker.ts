import { listen } from '@millrace/core';
import { runWorker } from '@millrace/nestjs';
import { OUTBOX, ShopModule } from './shop.module.js';
import { StderrLogger } from './stderr-logger.js';
import { ORDERED, type WorkerMessage } from './worker-message.js';

/** A worker process of the demo: everything it needs to know is in its environment. It does not outlive the demo. */
process.once('disconnect', () => process.exit(1));
if (!process.connected) process.exit(1);

listen('reclaimed', ({ group, queue, count }) => tell({ kind: 'reclaimed', from: group ?? queue ?? 'an unnamed group', count }));
const shop = ShopModule.with({ outbox: OUTBOX }, process.env[ORDERED] !== undefined);
await runWorker(shop, { health: false, logger: new StderrLogger() });
tell({ kind: 'ready' });

function tell(message: WorkerMessage): void {
  if (process.connected) process.send?.(message);
}
