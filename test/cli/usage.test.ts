/**
 * Words that cannot mean anything: one line that names them, exit code 2, and nothing done.
 */

import t from 'tap';
import { mdevfs } from '../mount/command.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const NONE = 'no such file or directory';

const meaningless: [string[], string][] = [
  [['mount', ''], '<dir>: expected a directory, got ""'],
  [['mount', '--state', '', '/nowhere'], '--state: expected a file, got ""'],
  [['mount', '-f', '', '/nowhere'], '--fixture: expected the name of a fixture, or a JSON file, got ""'],
  [['mount', '-f', './nope.json', '/nowhere'], 'fixture ./nope.json: no such file'],
  [['mount', '-f', '/etc/', '/nowhere'], 'fixture /etc/: a directory, not a file'],
  [['umount', ''], '<dir>: expected the directory of a mounted tree, got ""'],
  [['status', ''], '[dir]: expected the directory of a mounted tree, got ""'],
  [['attach', 'notauuid'], `<uuid>: expected a UUID, such as ${UUID}, got "notauuid"`],
  [['attach', `${UUID}0`], `<uuid>: expected a UUID, such as ${UUID}, got "${UUID}0"`],
  [
    ['attach', UUID, '--memory', '64Q'],
    'attach: memory: expected a multiple of 4K up to 1G, such as 64M, got "64Q"',
  ],
  [['attach', UUID, '--memory', ''], '--memory: expected a size, such as 64M, got ""'],
  [['attach', UUID, '--vm', ''], '--vm: expected a name without blanks and "=", got ""'],
  [['attach', UUID, '--at', '/nowhere'], `/nowhere: ${NONE}`],
  [['plug', '/nowhere', 'mtty'], `/nowhere: ${NONE}`],
  [['plug', '/etc/passwd', 'mtty'], '/etc/passwd: not a directory'],
  [['plug', '/nowhere', './nope.json'], `fixture ./nope.json: ${NONE}`],
  [['unplug', '/proc', 'mtty'], '/proc: no mounted tree; mdevfs status lists them'],
  [
    ['unplug', '/nowhere', ''],
    '[name]: expected the name of a parent, of a PCI function or of a fixture, got ""',
  ],
  [
    ['fault', '/nowhere', 'add', 'op=read', 'path=x', 'errno=EFOO'],
    'fault add: errno: expected the name of an errno, such as EBUSY, got "EFOO"',
  ],
  [['fault', '/nowhere', 'clear', 'abc'], 'fault clear: expected the number of one rule, got "abc"'],
  [['monitor', '--at', '/nowhere'], `/nowhere: ${NONE}`],
  [['enter', '0'], '<pid>: expected the number of a process, got "0"'],
  [['run', '--host', '', 'true'], '--host: expected the name of a fixture, or a JSON file, got ""'],
  [['run', '--host', './nope.json', 'true'], 'fixture ./nope.json: no such file'],
  [['snapshot', '--sysfs', '/nowhere'], `/nowhere: ${NONE}`],
  [['snapshot', '--sysfs', '/etc/passwd/x'], `/etc/passwd/x: ${NONE}`],
  [['tree', '/nowhere'], `/nowhere: ${NONE}`],
  [['tree', '/etc/passwd'], '/etc/passwd: not a directory'],
  [['completion', 'ksh'], '<shell>: expected bash, zsh or fish, got "ksh" (did you mean "zsh"?)'],
];

t.test('what cannot mean anything is told in one line, with exit code 2', async (t) => {
  for (const [args, why] of meaningless)
    t.strictSame(
      mdevfs(...args),
      { status: 2, stdout: '', stderr: `mdevfs: ${why}\n` },
      args.map((word) => `'${word}'`).join(' '),
    );
});

t.test('what means something and is not so is exit code 1', async (t) => {
  for (const args of [
    ['umount', '/nowhere'],
    ['status', '/nowhere'],
    ['attach', 'c3a1fbf0-57f5-4d68-a65f-2f7d3d3c2f01'],
    ['enter', '4194304'],
  ]) {
    const { status, stdout, stderr } = mdevfs(...args);
    t.equal(status, 1, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /^mdevfs: .*\n$/);
  }
});
