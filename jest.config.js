import { readFileSync } from 'node:fs';

const swc = JSON.parse(readFileSync(new URL('libs/testing/loader/swc.json', import.meta.url), 'utf8'));

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testRegex: '\\.spec\\.ts$',
  moduleFileExtensions: ['ts', 'js', 'json'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^@millrace/server$': '<rootDir>/apps/server/src/index.ts',
    '^@millrace/([a-z]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': ['@swc/jest', swc],
  },
  globalSetup: '<rootDir>/tools/jest/compile-children.js',
  setupFiles: ['reflect-metadata'],
  workerIdleMemoryLimit: '256MB',
  // More than the cores of a small machine: tests of real processes wait for most of their time.
  maxWorkers: 5,
  testSequencer: '<rootDir>/tools/jest/longest-first.js',
  testTimeout: 60_000,
  coverageProvider: 'v8',
};
