/** Asks the application in this container whether it is ready, and exits with 0 or 1: the image has no curl. */
const port = process.env.MILLRACE_HEALTH_PORT ?? process.env.MILLRACE_PORT ?? '3000';
const url = `http://127.0.0.1:${port}/health/ready`;

try {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!ok) throw new Error(`it answered with status ${status}`);
} catch (error) {
  console.error(`${url} is not ready: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  process.exitCode = 1;
}
