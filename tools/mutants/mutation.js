/** The text of a guard's file without the guard. @throws Error when the text to replace is not there exactly once */
export function mutated(text, { name, file, find, replace }) {
  const found = text.split(find).length - 1;
  if (found === 1) return text.replace(find, () => replace);
  throw new Error(
    `The guard '${name}' cannot be switched off: the text to replace is in ${file} ${found} times, not once. ` +
      `Adapt it in tools/mutants/guards: ${JSON.stringify(find)}`,
  );
}
