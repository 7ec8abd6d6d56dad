/** Something that a test waits for, and gives. */
export interface Signal {
  readonly given: Promise<void>;
  give(): void;
}

export function newSignal(): Signal {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give };
}
