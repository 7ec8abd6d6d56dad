export { freePort } from '@millrace/redis';
export * from './memory-redis/memory-redis.js';
export * from './processes.js';
export * from './tcp-proxy.js';
export * from './test-redis.js';
export * from './typescript-child.js';
export * from './unique-name.js';
export * from './wait-for.js';
