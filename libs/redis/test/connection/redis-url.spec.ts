import { describe, expect, it } from '@jest/globals';
import { assertRedisUrl, maskUrl } from '@millrace/redis';

describe('maskUrl', () => {
  it.each([
    ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
    ['redis://host', 'redis://host'],
    ['redis://:secret@host:6379/0', 'redis://:***@host:6379/0'],
    ['redis://user:secret@host', 'redis://user:***@host'],
    ['rediss://user:secret@host:1/2', 'rediss://user:***@host:1/2'],
    ['redis://user@host', 'redis://user@host'],
    ['redis://user:@host', 'redis://user:***@host'],
    ['redis://u:se@cret@host', 'redis://u:***@host'],
    ['redis://u:se:cret@host', 'redis://u:***@host'],
    ['redis://u:se/cret@host', 'redis://u:***@host'],
    ['redis://:se//cret@host/0', 'redis://:***@host/0'],
    ['redis://u:se?cret@host', 'redis://***'],
    ['redis://u:se#cret@host', 'redis://u:***@host'],
    ['redis://u:12/secret@host:6379', 'redis://u:***@host:6379'],
    ['redis://u:se%40cret@host', 'redis://u:***@host'],
    ['redis://u:secret\n@host', 'redis://u:***@host'],
    ['redis://host?password=secret', 'redis://host?***'],
    ['redis://u:secret@host/0?password=secret&x=secret', 'redis://u:***@host/0?***'],
    ['redis://host?password=se@cret', 'redis://***'],
    ['unix:///run/redis.sock', 'unix:///run/redis.sock'],
    ['unix://:secret@/run/redis.sock', 'unix://:***@/run/redis.sock'],
    ['unix:///run/redis.sock?password=secret', 'unix:///run/redis.sock?***'],
    ['user:secret@host:6379', '***@host:6379'],
    [':secret@host', '***@host'],
    ['host:6379', 'host:6379'],
    ['redis://:secret', 'redis://:***'],
    ['redis://u:secret/1', 'redis://u:***'],
    ['redis://[::1]:6379', 'redis://[::1]:6379'],
    ['redis://host:/0', 'redis://host:/0'],
    ['REDIS://u:secret@HOST', 'REDIS://u:***@HOST'],
    ['postgres://u:secret@host/db', 'postgres://u:***@host/db'],
    ['', ''],
  ])('shows %p as %p', (url, masked) => {
    expect(maskUrl(url)).toBe(masked);
    expect(masked).not.toContain('cret');
  });

  it('is one bounded line of visible text', () => {
    expect(maskUrl('redis://ho\nst\u001b[31m\u202e')).toBe('redis://ho\\u000ast\\u001b[31m\\u202e');
    expect(maskUrl(`redis://${'h'.repeat(100_000)}`).length).toBeLessThan(250);
    expect(maskUrl(`redis://u:${'@'.repeat(100_000)}@h`)).toBe('redis://u:***@h');
  });
});

describe('assertRedisUrl', () => {
  it.each([
    'redis://127.0.0.1:6379',
    'redis://localhost',
    'redis://host/',
    'redis://host/15',
    'redis://[::1]:6379',
    'redis://:secret@host',
    'redis://user:se%40c%2Fret@host:65535/0',
    'rediss://user:secret@host.example:6380/1',
    'redis://u:se@cret@host',
    'unix:///run/redis.sock',
    'unix:///run/re:dis@1.sock',
  ])('takes %s', (url) => {
    expect(() => assertRedisUrl(url)).not.toThrow();
  });

  it.each([
    ['localhost:6379', 'it must begin with redis://'],
    ['http://169.254.169.254', 'it must begin with redis://'],
    ['file:///etc/passwd', 'it must begin with redis://'],
    ['gopher://host', 'it must begin with redis://'],
    ['redis:', 'it must begin with redis://'],
    ['redis://', 'it must begin with redis://'],
    ['', 'it must begin with redis://'],
    ['unix://run/redis.sock', 'the absolute path of a socket'],
    ['unix://', 'the absolute path of a socket'],
    ['unix:///run/redis.sock?db=2', 'the absolute path of a socket'],
    ['redis://host:port', 'it cannot be parsed'],
    ['redis://host:65536', 'it cannot be parsed'],
    ['redis://:secret', 'write %40 for @, %3A for :, %2F for / and %23 for #'],
    ['redis://:secret#1@host', 'before the @ there is a raw #, where a URL takes the host for ended; in a user or password write %23 for #'],
    ['redis://u:12#secret@host:6379', 'write %23 for #'],
    ['rediss://u#1:secret@host', 'write %23 for #'],
    ['redis://:secret/1@host', 'a raw /, where a URL takes the host for ended; in a user or password write %2F for /'],
    ['redis://u:secret?1@host', 'write %3F for ?'],
    ['redis://u:#secret/?@host', 'a raw # and / and ?, where a URL takes the host for ended; in a user or password write %23 for #, %2F for /, %3F for ?'],
    ['redis://u:secret 1@host', 'write %20 for a space'],
    ['redis://host:0', 'there is no port 0'],
    ['redis://host/abc', 'the path must be the number of a database'],
    ['redis://host/0/1', 'the path must be the number of a database'],
    ['redis://host/-1', 'the path must be the number of a database'],
    ['redis://host/999999', 'the path must be the number of a database'],
    ['redis://u:12/secret@host:6379', 'write %2F for /'],
    ['redis://host?enableOfflineQueue=true', 'parameters after ? or # are not known'],
    ['redis://host/0#x', 'parameters after ? or # are not known'],
    ['redis://:secret%zz@host', 'not percent-encoded'],
    ['redis://secret%@host', 'not percent-encoded'],
    ['redis://ho\nst', 'a space or a character that is not seen'],
    ['redis://host ', 'a space or a character that is not seen'],
    [' redis://host', 'a space or a character that is not seen'],
    ['redis://ho\u200bst', 'a space or a character that is not seen'],
    [undefined, 'it is no text'],
    [null, 'it is no text'],
    [6379, 'it is no text'],
    [{ host: 'secret' }, 'it is no text'],
    [['redis://host'], 'it is no text'],
  ])('refuses %p: %s', (url, why) => {
    const expected = { code: 'INVALID_OPTIONS', retryable: false, message: expect.stringContaining(why) as unknown };
    expect(() => assertRedisUrl(url)).toThrow(expect.objectContaining(expected));
    expect(() => assertRedisUrl(url)).not.toThrow(/:secret|=secret/);
  });
});
