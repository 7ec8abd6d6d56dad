import { ConsoleLogger } from '@nestjs/common';
import { loadApplication, runWorker } from '@millrace/nestjs';

const logger = new ConsoleLogger({ json: process.env['MILLRACE_LOG'] === 'json' });

await runWorker(loadApplication(process.env), { logger });
