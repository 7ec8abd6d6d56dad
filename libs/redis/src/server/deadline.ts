/**
 * Waits for `work`, but not for ever.
 *
 * @param tooLate makes the error when `ms` passed before `work` settled; `work` itself goes on
 */
export async function withDeadline<T>(work: Promise<T>, ms: number, tooLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
