import { register } from 'node:module';

// node --import <this file> something.ts: runs the sources as they are, without a build.
register('./typescript-hooks.mjs', import.meta.url);

// The child of a test holds a pipe to it, which ends when the test's process does, however that ends: then so does the child.
if (process.env.MILLRACE_TEST_CHILD) {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
  process.stdin.resume();
  process.stdin.unref();
}
