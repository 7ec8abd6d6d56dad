import { register } from 'node:module';
import './test-child.mjs';

// node --import <this file> something.ts: runs the sources as they are, without a build.
register('./typescript-hooks.mjs', import.meta.url);
