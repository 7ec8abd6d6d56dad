/**
 * The layers of the code base, in one table: who may import whom, and which packages stay behind which wall. The lint rule
 * `millrace/imports` reads it, CONTRIBUTING.md explains it.
 */

/** A library -> the libraries that it may import. Every one of them stands further up in this list: imports point down only. */
export const LIBRARIES = {
  core: [],
  host: ['core'],
  redis: ['core'],
  telemetry: ['core'],
  outbox: ['core'],
  streams: ['core', 'redis'],
  jobs: ['core', 'redis'],
  ledger: ['core', 'redis'],
  rpc: ['core', 'redis', 'ledger', 'outbox', 'streams', 'jobs'],
  admin: ['core', 'redis', 'outbox', 'streams', 'jobs', 'rpc'],
  testing: ['core', 'redis', 'streams'],
  nestjs: ['core', 'redis', 'telemetry', 'ledger', 'outbox', 'streams', 'jobs', 'rpc', 'admin'],
};

/** Beside what its library may import, a test may use the harness that users get. */
export const FOR_TESTS = ['testing'];

/** A library -> those that its tests alone may import: the presence that a ledger asks is one of streams. */
export const BESIDE_TESTS = { ledger: ['streams'], telemetry: ['redis', 'streams', 'jobs', 'ledger', 'rpc'] };

/**
 * A package, or all of a scope as `@scope/*` -> the places whose code may import it, and the places where tests alone may.
 * `libs/*` and `apps/*` stand for all of them. A package that is not listed may be imported anywhere.
 */
export const PACKAGES = [
  { packages: ['ioredis'], code: ['libs/redis', 'libs/testing', 'apps/bench'], tests: ['libs/*', 'apps/*'] },
  { packages: ['bullmq'], code: ['libs/jobs', 'apps/bench'], tests: ['libs/nestjs', 'libs/telemetry'] },
  { packages: ['@nestjs/*'], code: ['libs/nestjs', 'apps/*'], tests: [] },
  { packages: ['pg', 'pg-pool', '@electric-sql/*', 'mysql2', 'drizzle-orm', 'kysely', 'knex', 'typeorm'], code: ['libs/outbox', 'apps/*'], tests: ['libs/nestjs'] },
  { packages: ['@nats-io/*', 'amqplib'], code: ['apps/bench'], tests: [] },
  { packages: ['prom-client', '@opentelemetry/*'], code: ['libs/telemetry', 'apps/*'], tests: ['libs/nestjs'] },
  { packages: ['redis', '@redis/*', 'iovalkey'], code: [], tests: [] },
];

/** Modules that do input and output: the code of these libraries may not import them. */
export const PURE = {
  libraries: ['core'],
  builtins: ['child_process', 'cluster', 'dgram', 'fs', 'fs/promises', 'http', 'http2', 'https', 'net', 'tls', 'worker_threads'],
};
