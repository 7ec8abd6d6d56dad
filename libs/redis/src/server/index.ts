export * from './deadline.js';
export * from './free-port.js';
export * from './guarded-process.js';
export * from './find-redis.js';
export * from './local-cluster.js';
export * from './local-server.js';
export * from './node-command.js';
export * from './server-binaries.js';
