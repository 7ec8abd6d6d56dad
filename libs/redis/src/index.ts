export * from './boot/connect-redis.js';
export * from './boot/connect-server.js';
export {
  ClusterOptions, IsRedis, RedisClusterOptions, RedisIoredisOptions, RedisLoginOptions, RedisOptions, RedisSentinelOptions,
  RedisTlsOptions, SentinelOptions,
} from './config/redis-options.js';
export { redisTarget } from './config/redis-target.js';
export * from './config/redis-variables.js';
export * from './connection/capabilities.js';
export * from './connection/cluster-client.js';
export * from './connection/hearing-connectors.js';
export { fieldOf } from './connection/info.js';
export * from './connection/open-connection.js';
export * from './connection/profiles.js';
export * from './connection/redis-address.js';
export * from './connection/redis-connection.js';
export * from './connection/redis-driver.js';
export * from './connection/redis-failure.js';
export * from './connection/redis-target.js';
export * from './connection/redis-url.js';
export * from './connection/sentinels.js';
export * from './connection/server-connection.js';
export * from './connection/server-facts.js';
export * from './script/script.js';
export * from './server/index.js';
export * from './topology/cluster-topology.js';
export * from './topology/slot.js';
export * from './topology/standalone-topology.js';
export * from './topology/topology.js';
