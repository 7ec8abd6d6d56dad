import { ConsoleLogger } from '@nestjs/common';
import { runWorker } from '@millrace/nestjs';
import { loadApplication } from './load-application.js';

const logger = new ConsoleLogger({ json: process.env['MILLRACE_LOG'] === 'json' });

await runWorker(loadApplication(process.env), { logger });
