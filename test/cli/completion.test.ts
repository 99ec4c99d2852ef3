import { spawnSync } from 'node:child_process';
import t from 'tap';
import { mdevfs } from '../mount/command.js';

/** What bash would offer for the last word of a line. */
function completed(...words: string[]): string[] {
  const script = `${mdevfs('completion', 'bash').stdout}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mdevfs; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], {
    encoding: 'utf8',
    cwd: '/',
  });
  if (stderr !== '') throw new Error(stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

t.test('bash completes subcommands, options and what follows them', async (t) => {
  t.same(completed('mdevfs', 'mo'), ['mount', 'monitor']);
  t.same(completed('mdevfs', 'mount', '--tr'), ['--transport']);
  t.same(completed('mdevfs', 'mount', '--transport', 'fuse-'), ['fuse-native']);
  t.same(completed('mdevfs', 'mount', '-f', 'sam'), ['samples']);
  t.same(completed('mdevfs', 'run', '--host', 'nvidia-t4'), ['nvidia-t4']);
  t.same(completed('mdevfs', 'mount', 'pro'), ['proc']);
  t.same(completed('mdevfs', 'completion', ''), ['bash', 'zsh', 'fish']);
  t.same(completed('mdevfs', 'serve'), [], 'what is not for users is not offered');
});

t.test('zsh and fish know every subcommand too', async (t) => {
  for (const shell of ['zsh', 'fish'])
    for (const name of ['mount', 'umount', 'run', 'enter', 'tree', 'fixtures'])
      t.match(mdevfs('completion', shell).stdout, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
});
