import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { mountAt } from '../../src/host/mountinfo.js';
import { main, mdevfs, mountpoint, run, samples, statusOf } from './command.js';
import { noMounts } from './mounted.js';

const skip = noMounts() ?? false;
const OTHER = 1000;
const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const A_PIPE = 'a pipe, not a file; save what comes out of it as one';
const A_DEVICE = 'a device, not a file';

/** What is no file, by how it is made. */
const kinds: [string, (path: string) => void][] = [
  [A_PIPE, (path) => spawnSync('mkfifo', [path])],
  ['a directory, not a file', (path) => mkdirSync(path)],
];

t.test('what is no file is no state, and is left as it is', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  const file = join(at, 'state');
  const refused = (path: string, where: string, reason: string) => {
    t.strictSame(mdevfs('mount', '-f', 'samples', '--state', path, dir), {
      status: 1,
      stdout: '',
      stderr: `mdevfs: ${where}: ${reason}\n`,
    });
    t.equal(mountAt(dir), undefined);
  };
  const wayOut = 'it is left as it is. Remove it to begin anew, or give another file';
  for (const [reason, make] of kinds) {
    make(file);
    refused(file, file, `${reason}; ${wayOut}`);
    rmSync(file, { recursive: true });
  }
  for (const device of ['/dev/zero', '/dev/null']) {
    symlinkSync(device, file);
    refused(file, device, `${A_DEVICE}; ${wayOut}`);
    rmSync(file);
    t.ok(statSync(device).isCharacterDevice());
    t.notOk(existsSync(`${device}.lock`));
  }
  writeFileSync(file, '');
  truncateSync(file, 64 * 1024 * 1024 + 1);
  refused(file, file, `larger than 64 MiB, the most that is read; ${wayOut}`);
  rmSync(file);
  symlinkSync('state', file);
  refused(file, file, 'cannot be written: ELOOP');
  rmSync(file);
  chmodSync(at, 0o1777);
  symlinkSync(samples, file);
  spawnSync('chown', ['-h', `${OTHER}`, file]);
  refused(file, file, `a link of uid ${OTHER}; give the file itself`);
  rmSync(file);
  writeFileSync(file, '{}');
  chownSync(file, OTHER, OTHER);
  refused(file, file, `belongs to uid ${OTHER}, in a folder where others may write; ${wayOut}`);
});

t.test('a state is written through nothing that lies in its way', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  const [file, victim] = [join(at, 'state'), join(at, 'victim')];
  const mount = () => mdevfs('mount', '-f', 'samples', '--state', file, dir);
  writeFileSync(victim, 'precious');
  for (const make of [() => symlinkSync(victim, `${file}.new`), () => spawnSync('mkfifo', [`${file}.new`])]) {
    make();
    t.equal(mount().status, 0);
    writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/create'), uuid);
    t.match(readFileSync(file, 'utf8'), uuid);
    t.equal(mdevfs('umount', dir).status, 0);
    t.equal(readFileSync(victim, 'utf8'), 'precious');
    rmSync(file);
  }
  mkdirSync(`${file}.new`);
  t.strictSame(mount(), {
    status: 1,
    stdout: '',
    stderr: `mdevfs: ${file}.new: a directory, where the state is written first; remove it\n`,
  });
  t.notOk(existsSync(file));
});

t.test('a state stays in the folder where it was, whatever becomes of the path', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  for (const name of ['a', 'b']) mkdirSync(join(at, name));
  t.equal(mdevfs('mount', '-f', 'samples', '--state', join(at, 'a/state'), dir).status, 0);
  writeFileSync(join(at, 'b/state'), 'precious');
  t.equal(spawnSync('mv', [join(at, 'a'), join(at, 'c')]).status, 0);
  symlinkSync('b', join(at, 'a'));
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/create'), uuid);
  t.match(readFileSync(join(at, 'c/state'), 'utf8'), uuid);
  t.equal(readFileSync(join(at, 'b/state'), 'utf8'), 'precious');
});

t.test('what is no file is no fixture, mounted or plugged in', { skip }, async (t) => {
  const [dir, at] = [mountpoint(t), scratch(t)];
  const file = join(at, 'fixture.json');
  const commands = (path: string) => [
    ['mount', '-f', path, join(at, 'sys')],
    ['plug', dir, path],
  ];
  t.equal(mdevfs('mount', '-f', 'samples', dir).status, 0);
  const refused = (path: string, reason: string, status = 2) => {
    for (const args of commands(path)) {
      const result = mdevfs(...args);
      t.strictSame(
        result,
        { status, stdout: '', stderr: `mdevfs: fixture ${path}: ${reason}\n` },
        args.join(' '),
      );
    }
    rmSync(join(at, 'sys'), { recursive: true, force: true });
  };
  for (const [reason, make] of kinds) {
    make(file);
    refused(file, reason);
    rmSync(file, { recursive: true });
  }
  refused('/dev/zero', A_DEVICE);
  const { status: ran, stderr: told } = mdevfs('run', '--host', '/dev/zero', '--', 'true');
  t.strictSame([ran, told], [2, `mdevfs: fixture /dev/zero: ${A_DEVICE}\n`]);
  writeFileSync(file, '');
  truncateSync(file, 32 * 1024 * 1024 + 1);
  refused(file, 'larger than 32 MiB, the most that is read');
  rmSync(file);
  chmodSync(at, 0o1777);
  symlinkSync(samples, file);
  spawnSync('chown', ['-h', `${OTHER}`, file]);
  refused(file, `${file}: a link of uid ${OTHER}; give the file itself`, 1);
  rmSync(file);
  symlinkSync(samples, file);
  t.equal(mdevfs('mount', '-f', file, join(at, 'sys')).status, 0, 'a link of root is followed');
  t.equal(statusOf(join(at, 'sys'))?.fixture, file);
  t.equal(mdevfs('umount', join(at, 'sys')).status, 0);
  const script = `exec "$0" "$1" mount -f <(cat '${samples}') '${join(at, 'sys')}'`;
  const { status, stderr } = run('bash', ['--norc', '-c', script, process.execPath, main]);
  t.equal(status, 2);
  t.match(stderr, /^mdevfs: fixture \/dev\/fd\/\d+: a pipe, not a file; save what comes out of it as one\n$/);
});

/** An archive by tar(1), of what a script makes in a folder. */
function archive(at: string, name: string, script: string): string {
  const file = join(at, name);
  const dir = join(at, `${name}.d`);
  mkdirSync(dir);
  const made = spawnSync('bash', ['-ec', `mkdir -p sys/{bus,class,devices}; ${script}`], { cwd: dir });
  if (made.status !== 0) throw new Error(made.stderr.toString());
  spawnSync('tar', ['-czf', file, '-C', dir, 'sys']);
  rmSync(dir, { recursive: true });
  return file;
}

t.test('a snapshot takes only files, and of an archive only so much', async (t) => {
  const at = scratch(t);
  const fails = (file: string, fault: string) =>
    t.strictSame(mdevfs('snapshot', '--sysfs', file), {
      status: 2,
      stdout: '',
      stderr: `mdevfs: ${file}: ${fault}\n`,
    });
  const pipe = join(at, 'pipe');
  spawnSync('mkfifo', [pipe]);
  fails(pipe, A_PIPE);
  fails('/dev/zero', A_DEVICE);
  const extract = 'extract it, and give the directory';
  // Zeros shrink to nothing, so these are small.
  const large = archive(at, 'large.tar.gz', 'truncate -s 1025M sys/devices/large');
  fails(large, `more than 1024 MiB; ${extract}`);
  const content = archive(
    at,
    'content.tar.gz',
    'head -c 262144 /dev/zero | tr "\\\\0" a > x; for n in {1..161}; do cp x sys/devices/x$n; done; rm x',
  );
  fails(content, `more than 40 MiB in its files and paths; ${extract}`);
  const deep = archive(at, 'deep.tar.gz', `mkdir -p sys/devices/${'d/'.repeat(510)}`);
  fails(deep, `a path of more than 1024 letters; ${extract}`);
  const whole = archive(at, 'whole.tar.gz', 'echo 1 > sys/devices/x');
  const twice = join(at, 'twice.tar.gz');
  spawnSync('sh', ['-c', `gzip -c '${whole}' > '${twice}'`]);
  const expected = 'expected a directory, a tar archive of one, or a .umockdev recording';
  fails(twice, `no sysfs in it (compressed twice; gunzip it); ${expected}`);
  t.equal(mdevfs('snapshot', '--sysfs', whole).status, 0);
});

t.test('a snapshot takes no more nodes than a machine has', async (t) => {
  const at = scratch(t);
  const script = `
    import { createGzip } from 'node:zlib';
    import { createWriteStream } from 'node:fs';
    const zip = createGzip({ level: 1 });
    zip.pipe(createWriteStream(process.argv[1]));
    const header = Buffer.alloc(512);
    header.write('0000644', 100); header.write('00000000000', 124); header.write('00000000000', 136); header.write('0', 156);
    header.write('ustar\\x0000', 257, 'latin1');
    for (let n = 0; n < 200001; n++) {
      header.fill(0, 0, 100); header.write('sys/devices/x' + n, 0); header.fill(' ', 148, 156);
      const sum = header.reduce((all, byte) => all + byte);
      header.write(sum.toString(8).padStart(6, '0') + '\\0 ', 148);
      if (!zip.write(Buffer.from(header))) await new Promise((resolve) => zip.once('drain', resolve));
    }
    zip.end(Buffer.alloc(1024));`;
  const many = join(at, 'many.tar.gz');
  t.equal(run(process.execPath, ['--input-type=module', '-e', script, many]).status, 0);
  const fault = (file: string, reason: string) => {
    const { status, stdout, stderr } = mdevfs('snapshot', '--sysfs', file);
    t.strictSame([status, stdout, stderr], [2, '', `mdevfs: ${file}${reason}\n`]);
  };
  fault(many, ': more than 200000 nodes; extract it, and give the directory');
  const recording = join(at, 'x.umockdev');
  writeFileSync(recording, `P: /devices/x\n${'E: A=1\n'.repeat(200_000)}`);
  fault(recording, ':200001: more than 200000 nodes');
  writeFileSync(
    recording,
    Array.from({ length: 500 }, (_, n) => `P: /devices/${n}${'/d'.repeat(500)}\n`).join(''),
  );
  fault(recording, ':399: more than 200000 nodes');
  writeFileSync(recording, `P: /devices/x\nA: a=${'1'.repeat(1024 * 1024)}\n`);
  fault(recording, ':2: a line of more than 1024 KiB');
  writeFileSync(recording, `P: /devices/x\nH: config=${'41'.repeat(400_000)}\n`);
  t.equal(mdevfs('snapshot', '--sysfs', recording).status, 0);
  truncateSync(recording, 16 * 1024 * 1024 + 1);
  fault(recording, ': larger than 16 MiB, the most that is read');
});
