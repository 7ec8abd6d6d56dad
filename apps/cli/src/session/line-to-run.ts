const PLAIN = /^[\w./:=@%+,-]+$/;

/** The command line that was given, as a shell reads it, with more flags; passwords and tokens are left out. */
export async function lineToRun(line: readonly string[], flags: readonly string[]): Promise<string> {
  const { maskUrl } = await import('@millrace/redis');
  const secretless = (name: string, value: string): string => {
    if (name === '--token') return '"$MILLRACE_TOKEN"';
    const masked = maskUrl(value);
    return name === '--redis' && masked !== value ? '"$REDIS_URL"' : quoted(value);
  };
  const shown = line.map((word, index) => {
    const [, name, value] = /^(--token|--redis)(?:=([^]*))?$/.exec(word) ?? [];
    if (name !== undefined && value !== undefined) return `${name}=${secretless(name, value)}`;
    return secretless(line[index - 1] ?? '', word);
  });
  // Behind -- it would be an argument.
  const end = line.indexOf('--');
  return ['millrace', ...shown.slice(0, end < 0 ? undefined : end), ...flags, ...(end < 0 ? [] : shown.slice(end))].join(' ');
}

function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
