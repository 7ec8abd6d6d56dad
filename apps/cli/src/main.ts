#!/usr/bin/env node
import 'reflect-metadata';
import { runCli } from './run-cli.js';
import { flushed, surroundingsOfProcess } from './surroundings/surroundings.js';

const surroundings = surroundingsOfProcess();
const code = await runCli(process.argv.slice(2), surroundings);
await flushed(surroundings);
process.exit(code);
