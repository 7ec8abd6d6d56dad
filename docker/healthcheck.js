/** Asks the application in this container whether it is ready, and exits with 0 or 1: the image has no curl. */
const { MILLRACE_HEALTH_PORT, MILLRACE_PORT } = process.env;
const port = MILLRACE_HEALTH_PORT?.trim() || MILLRACE_PORT?.trim() || '3000';
const url = `http://127.0.0.1:${port}/health/ready`;

try {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!ok) throw new Error(`it answered with status ${status}`);
} catch (error) {
  console.error(`${url} is not ready: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  process.exitCode = 1;
}
