const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Has `stop` called when the process is asked to stop. Where nothing else listens, such a signal ends the process by itself, and
 * does so as before.
 *
 * @returns a function that stops listening
 */
export function onStopSignal(stop: () => void): () => void {
  const minded = SIGNALS.filter((signal) => process.listenerCount(signal) > 0);
  for (const signal of minded) process.on(signal, stop);
  return () => minded.forEach((signal) => process.off(signal, stop));
}
