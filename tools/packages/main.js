import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

// npm run packages: each library as an archive in dist/packages, for applications outside this repository.
const ROOT = resolve(import.meta.dirname, '../..');
const TARGET = join(ROOT, 'dist/packages');
const LIBRARIES = readdirSync(join(ROOT, 'libs')).filter((name) => existsSync(join(ROOT, 'libs', name, 'package.json')));

rmSync(TARGET, { recursive: true, force: true });
// Not the build of the applications: that one has turned the names of libraries into relative paths, and has no types.
execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(import.meta.dirname, 'tsconfig.json')], {
  stdio: 'inherit',
});
for (const library of LIBRARIES) addRest(join(ROOT, 'libs', library), join(TARGET, library));
execFileSync('npm', ['pack', '--silent', '--pack-destination', TARGET, ...LIBRARIES.map((library) => join(TARGET, library))], {
  stdio: 'inherit',
});

/** Copies the files that the compiler passes over: scripts for Redis, migrations of SQL, and the metadata of npm. */
function addRest(source, target) {
  cpSync(join(source, 'src'), join(target, 'src'), { recursive: true, filter: (path) => !path.endsWith('.ts') });
  if (existsSync(join(source, 'migrations'))) cpSync(join(source, 'migrations'), join(target, 'migrations'), { recursive: true });
  copyFileSync(join(source, 'package.json'), join(target, 'package.json'));
  copyFileSync(join(ROOT, 'LICENSE'), join(target, 'LICENSE'));
}
