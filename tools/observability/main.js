import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { alerts } from './alerts.js';
import { dashboard } from './dashboard.js';

// npm run observability: writes the dashboard of Grafana and the alerts of Prometheus anew.
const FOLDER = resolve(import.meta.dirname, '../../observability');

mkdirSync(join(FOLDER, 'grafana'), { recursive: true });
writeFileSync(join(FOLDER, 'grafana/millrace.json'), `${JSON.stringify(dashboard(), null, 2)}\n`);
writeFileSync(join(FOLDER, 'alerts.yaml'), alerts());
