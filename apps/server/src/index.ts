export { type MillraceServerAsyncOptions, MillraceServerModule } from './millrace-server.module.js';
export type { Authorize, Principal } from './principal.js';
export { MillraceServerOptions } from './server-module-options.js';
export { ServerTokenOptions } from './server-token-options.js';
