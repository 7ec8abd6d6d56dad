import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

// npm run packages: each library and each installable program as an archive in dist/packages, for use outside this repository.
const ROOT = resolve(import.meta.dirname, '../..');
const TARGET = join(ROOT, 'dist/packages');
const PACKAGES = ['libs', 'apps'].flatMap((place) => readdirSync(join(ROOT, place)).map((name) => join(place, name)))
  .filter((folder) => existsSync(join(ROOT, folder, 'package.json')));

rmSync(TARGET, { recursive: true, force: true });
// Not the build of the applications: that one has turned the names of libraries into relative paths, and has no types. Types are
// checked by npm run typecheck alone: it would double the time here.
execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(import.meta.dirname, 'tsconfig.json')], {
  stdio: 'inherit',
});
for (const folder of PACKAGES) addRest(join(ROOT, folder), join(TARGET, folder));
execFileSync('npm', ['pack', '--silent', '--pack-destination', TARGET, ...PACKAGES.map((folder) => join(TARGET, folder))], {
  stdio: 'inherit',
});

/** Copies the files that the compiler passes over: scripts for Redis, migrations of SQL, and the metadata of npm. */
function addRest(source, target) {
  cpSync(join(source, 'src'), join(target, 'src'), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  if (existsSync(join(source, 'migrations'))) cpSync(join(source, 'migrations'), join(target, 'migrations'), { recursive: true });
  copyFileSync(join(source, 'package.json'), join(target, 'package.json'));
  copyFileSync(join(ROOT, 'LICENSE'), join(target, 'LICENSE'));
  const { bin = {} } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  for (const command of Object.values(bin)) chmodSync(join(target, command), 0o755);
}
