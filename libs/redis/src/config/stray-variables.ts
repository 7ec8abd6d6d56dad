import type { RedisVariable } from './redis-variables.js';

/** These say something about Sentinels alone. */
const OF_SENTINELS: readonly RedisVariable[] = [
  'REDIS_SENTINEL_PRIMARY', 'REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD', 'REDIS_SENTINEL_TLS', 'MILLRACE_REDIS_SENTINEL_CA',
  'MILLRACE_REDIS_SENTINEL_CERT', 'MILLRACE_REDIS_SENTINEL_KEY', 'MILLRACE_REDIS_SENTINEL_SERVERNAME',
];
const OFF: ReadonlySet<string> = new Set(['', '0', 'false']);

/**
 * Variables that would be passed over in silence, since another one says where Redis is: their author means another Redis than
 * the process would take, or an encrypted connection to it.
 *
 * @returns a problem for each, without a value
 */
export function strayVariables(env: NodeJS.ProcessEnv): string[] {
  const isSet = (name: RedisVariable): boolean => !OFF.has(env[name]?.trim() ?? '');
  const sentinels = isSet('REDIS_SENTINELS') ? [] : OF_SENTINELS.filter(isSet);
  const isMany = isSet('REDIS_SENTINELS') || isSet('REDIS_CLUSTER_NODES');
  return [
    ...sentinels.map((name) => `${name} is set, and REDIS_SENTINELS is not: name the Sentinels, or leave ${name} out`),
    ...(isMany ? [] : ofOneServer(env, isSet)),
  ];
}

function ofOneServer(env: NodeJS.ProcessEnv, isSet: (name: RedisVariable) => boolean): string[] {
  const url = env.REDIS_URL?.trim() ?? '';
  const problems: string[] = [];
  if (isSet('REDIS_NAT_MAP')) problems.push('REDIS_NAT_MAP is set, and neither REDIS_CLUSTER_NODES nor REDIS_SENTINELS is: one server has no map');
  if (isSet('REDIS_TLS') && !url.startsWith('rediss://')) {
    problems.push('REDIS_TLS asks for encrypted connections, and REDIS_URL does not begin with rediss://: write rediss://, or leave REDIS_TLS out');
  }
  const logins = (['REDIS_USERNAME', 'REDIS_PASSWORD'] as const).filter(isSet);
  if (logins.length > 0 && !mayTakeLogin(url)) {
    problems.push(`${logins.join(' and ')} would not be used: REDIS_URL has a user and a password of its own; name them in one place`);
  }
  return problems;
}

/** Whether a URL leaves it open who connects; an empty one stands for the default. */
function mayTakeLogin(url: string): boolean {
  if (url === '') return true;
  if (!/^rediss?:/.test(url) || !URL.canParse(url)) return false;
  const { username, password } = new URL(url);
  return username === '' && password === '';
}

/** The URL with the user and the password of the environment, where it has none itself. */
export function urlWithLogin(url: string, { username, password }: Login): string {
  if ((username === undefined && password === undefined) || !mayTakeLogin(url)) return url;
  const whole = new URL(url);
  whole.username = encodeURIComponent(username ?? '');
  whole.password = encodeURIComponent(password ?? '');
  return whole.href;
}

interface Login {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}
