export { applicationFile } from './application-file.js';
export { packageOf } from './package-of.js';
export { type HostCommand, runHost } from './run-host.js';
export { VERSION } from './version.js';
