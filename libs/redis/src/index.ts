export * from './connection/profiles.js';
export * from './connection/redis-connection.js';
export * from './connection/redis-connections.js';
export * from './connection/redis-failure.js';
export * from './connection/redis-url.js';
export * from './connection/server-facts.js';
export * from './script/script.js';
export * from './server/index.js';
