import { MillraceError } from '@millrace/core';

type OptionsOfTls = 'tls' | 'sentinel.tls';

/** The first part of the names of the variables that hold certificates. */
const VARIABLES: Readonly<Record<OptionsOfTls, string>> = { tls: 'MILLRACE_REDIS', 'sentinel.tls': 'MILLRACE_REDIS_SENTINEL' };
/** Beside the option, all that asks for TLS. */
const SWITCHES: Readonly<Record<OptionsOfTls, string>> = { tls: 'REDIS_TLS=1, or in a URL write rediss://', 'sentinel.tls': 'or REDIS_SENTINEL_TLS=1' };

/** A common reason for an address of a Cluster that speaks no TLS. */
export const TLS_PORTS = 'Nodes of a Cluster announce their ports for TLS with tls-cluster yes alone.';

/** The sides of a TLS connection that could not be made, for words. */
interface Sides {
  /** The servers, at the beginning of a sentence: `The Redis at rediss://a:1`. */
  readonly subject: string;
  /** Those of this process, by their name. */
  readonly options: OptionsOfTls;
}

/** Meanings of failures, by the words of Node and OpenSSL: the first pattern that matches decides. */
const MEANINGS: readonly (readonly [RegExp, (options: OptionsOfTls) => string])[] = [
  [/wrong version|too long|http request|record layer/i, (options) =>
    `The port there speaks no TLS: name the port for TLS, or leave ${options} out, and in a URL write redis://. ${TLS_PORTS}`],
  [/altnames/, (options) =>
    `Its certificate has other names than the address: reach it by one of those, or say in ${options}.servername, or ${VARIABLES[options]}_SERVERNAME, which ` +
    'is meant. Nodes of a Cluster announce names by cluster-announce-hostname and cluster-preferred-endpoint-type hostname, servers behind ' +
    'Sentinels by replica-announce-ip, with resolve-hostnames yes and announce-hostnames yes of the Sentinels.'],
  [/protocol version|unsupported protocol|no shared cipher/, () =>
    'They have no version or no cipher of TLS in common: see tls-protocols, tls-ciphers and tls-ciphersuites of the server.'],
  [/alert/, (options) =>
    `It refuses the certificate of this process, or asks for one: name one in ${options}.cert and ${options}.key, or ${VARIABLES[options]}_CERT and ` +
    `${VARIABLES[options]}_KEY, that an authority in its tls-ca-cert-file has signed. Its log says more.`],
  [/expired|not yet valid/, () => 'Renew its certificate, or set the clock of this machine right.'],
  [/certificate|TLS: /i, (options) => `Name the authority that signed its certificate in ${options}.ca, or ${VARIABLES[options]}_CA.`],
];

/** @returns null when the connection failed otherwise */
export function tlsFailureOf(error: Error, { subject, options }: Sides): MillraceError | null {
  if (!/certificate|altnames|\bTLS: /i.test(error.message)) return null;
  const [, advice] = MEANINGS.find(([pattern]) => pattern.test(error.message))!;
  const message = `${subject} and this process do not trust each other: ${error.message}. ${advice(options)}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: error });
}

interface AskedTls {
  readonly options: OptionsOfTls;
  /** Whether this process asks for TLS; undefined where that is not known. */
  readonly isEncrypted?: boolean | undefined;
}

/**
 * A server without TLS waits for the rest of what begins a TLS connection; one that speaks it alone ends every other connection.
 *
 * @returns a sentence, or nothing
 */
export function guessAboutTls({ message }: Error, { options, isEncrypted }: AskedTls): string {
  if (isEncrypted !== false && /ETIMEDOUT|before secure TLS/.test(message)) {
    return `If the port there does not speak TLS, name one that does, or leave ${options} out, and in a URL write redis://.`;
  }
  if (isEncrypted !== true && /ECONNRESET|Connection is closed|connection ended/.test(message)) {
    return `If the port there speaks TLS alone, set ${options} in the option redis, ${SWITCHES[options]}.`;
  }
  return '';
}
