// The child of a test holds a pipe to it, which ends when the test's process does, however that ends: then so does the child.
if (process.env.MILLRACE_TEST_CHILD) {
  process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
  process.stdin.resume();
  process.stdin.unref();
}
