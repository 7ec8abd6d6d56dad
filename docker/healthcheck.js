/**
 * Asks the application in this container whether it is ready, and exits with 0 or 1: the image has no curl.
 *
 *   node docker/healthcheck.js server|worker
 */
const [role] = process.argv.slice(2);
const names = role === 'worker' ? ['MILLRACE_HEALTH_PORT', 'MILLRACE_HEALTH_HOST'] : ['MILLRACE_PORT', 'MILLRACE_HOST'];
const [port, host] = names.map((name) => process.env[name]?.trim());
const url = `http://${addressOf(host)}:${port || '3000'}/health/ready`;

try {
  if (role === 'worker' && !port) throw new Error('a worker without MILLRACE_HEALTH_PORT opens no port');
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!ok) throw new Error(`it answered with status ${status}`);
} catch (error) {
  console.error(`${url} is not ready: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  process.exitCode = 1;
}

/** The address of the application; one that listens everywhere is asked on the loopback address. */
function addressOf(host) {
  if (!host || host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
