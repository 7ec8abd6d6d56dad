const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Does work that ends early when the process is asked to stop meanwhile. Where nothing else listens, such a signal ends the
 * process by itself, and does so as before.
 *
 * @param work its signal aborts when the process is asked
 */
export async function untilAsked<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const asked = new AbortController();
  const ask = (): void => asked.abort();
  const minded = SIGNALS.filter((signal) => process.listenerCount(signal) > 0);
  for (const signal of minded) process.on(signal, ask);
  try {
    return await work(asked.signal);
  } finally {
    for (const signal of minded) process.off(signal, ask);
  }
}
