import { describe, expect, it } from '@jest/globals';
import { installAdvice, installLine } from '../../src/server/install-hint.js';

function linux(osRelease: string, isRoot = false): Parameters<typeof installLine>[0] {
  return { platform: 'linux', osRelease, isRoot };
}

describe('the line that installs a Redis', () => {
  it.each([
    ['Debian 12', 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n', 'sudo apt-get update && sudo apt-get install -y redis-server'],
    ['Ubuntu 24.04', 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', 'sudo apt-get update && sudo apt-get install -y redis-server'],
    ['Mint', 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\n', 'sudo apt-get update && sudo apt-get install -y redis-server'],
    ['Fedora', 'ID=fedora\nVERSION_ID=42\n', 'sudo dnf install -y valkey'],
    ['Rocky 9', 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', 'sudo dnf module install -y redis:7'],
    ['RHEL 10', 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="10.0"\n', 'sudo dnf install -y valkey'],
    ['Amazon Linux', 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\n', 'sudo dnf install -y valkey'],
    ['Alpine', 'ID=alpine\nVERSION_ID=3.20.1\n', 'sudo apk add redis'],
    ['Arch', 'ID=arch\n', 'sudo pacman -S --noconfirm valkey'],
  ])('on %s', (_, osRelease, line) => {
    expect(installLine(linux(osRelease))).toBe(line);
  });

  it('takes the packages of redis.io where the system has Redis 6', () => {
    const line = installLine(linux('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n'));
    expect(line).toContain('https://packages.redis.io/deb jammy main');
  });

  it('has no sudo for root', () => {
    expect(installLine(linux('ID=debian\nVERSION_ID="11"\nVERSION_CODENAME=bullseye\n', true))).not.toContain('sudo');
    expect(installLine(linux('ID=alpine\n', true))).toBe('apk add redis');
  });

  it('on macOS', () => {
    expect(installLine({ platform: 'darwin', osRelease: '', isRoot: false })).toBe('brew install redis');
  });
});

describe('the advice', () => {
  it('has the line, and the other way', () => {
    expect(installAdvice(linux('ID=alpine\n'))).toBe('Install one with: sudo apk add redis\nOr set REDIS_URL to one that runs.');
  });

  it.each(['', 'ID=plan9\n'])('names Docker where no line is known: %j', (osRelease) => {
    expect(installAdvice(linux(osRelease))).toMatch(/^Set REDIS_URL .*docker run .*noeviction$/s);
  });

  it('names Docker on Windows', () => {
    expect(installAdvice({ platform: 'win32', osRelease: '', isRoot: false })).toContain('winget install -e --id Docker.DockerDesktop');
  });
});
